import {
  barFigure,
  colourOf,
  emptyFigure,
  type Figure,
  faint,
  frame,
  isNarrow,
  valueAxis,
} from '../../report/index.ts';
import type { Store } from '../store.ts';

/** The same task: under two models, and run again. */
export async function varianceFigures(store: Store, sets: readonly string[]): Promise<Figure[]> {
  const pairs = await store.rows(
    `SELECT a.task, a.set_name AS sa, b.set_name AS sb, a.active_s / 60 AS ta, b.active_s / 60 AS tb, a.mem_peak_mb AS ma, b.mem_peak_mb AS mb
     FROM tasks_used a JOIN tasks_used b USING (task) JOIN sets pa ON pa.set_name = a.set_name JOIN sets pb ON pb.set_name = b.set_name
     WHERE pa.place < pb.place ORDER BY a.task LIMIT 2000`,
  );
  const [first, second] = [pairs[0]?.sa, pairs[0]?.sb].map((s) => (s === undefined ? undefined : String(s)));
  const own = pairs.filter((p) => p.sa === first && p.sb === second);
  return [
    scatter(
      'variance-models-time',
      'The same task under two models: time',
      'Active time of the task in both sets; on the line they are equal.',
      'minutes',
      first,
      second,
      own.map((p) => [String(p.task), p.ta as number | null, p.tb as number | null]),
    ),
    scatter(
      'variance-models-memory',
      'The same task under two models: peak memory',
      'Peak memory of the task in both sets; on the line they are equal.',
      'MB',
      first,
      second,
      own.map((p) => [String(p.task), p.ma as number | null, p.mb as number | null]),
    ),
    await runs(store, sets),
  ];
}

function scatter(
  id: string,
  title: string,
  definition: string,
  unit: string,
  first: string | undefined,
  second: string | undefined,
  points: [string, number | null, number | null][],
): Figure {
  const known = points.filter(
    (p): p is [string, number, number] => p[1] !== null && p[2] !== null && p[1] > 0 && p[2] > 0,
  );
  if (!known.length || !first || !second) return emptyFigure(id, title, definition, 'No task is in two sets.');
  const values = known.flatMap((p) => [p[1], p[2]]);
  const nice = (v: number, up: boolean) => {
    const base = 10 ** Math.floor(Math.log10(v));
    return (up ? Math.ceil(v / base) : Math.floor(v / base)) * base;
  };
  const low = nice(Math.min(...values), false);
  const high = nice(Math.max(...values), true);
  return {
    id,
    title,
    definition,
    n: `${known.length} tasks in both sets`,
    columns: ['task', `${first} (${unit})`, `${second} (${unit})`],
    rows: known,
    alt: `${known.filter((p) => p[2] > p[1]).length} of ${known.length} tasks are higher in ${second}`,
    chart: (width) => ({
      height: isNarrow(width) ? 320 : 400,
      option: {
        ...frame(width, []),
        xAxis: valueAxis({ name: `${first}: ${unit} (logarithmic)`, log: true, min: low, max: high }, 'x'),
        yAxis: valueAxis({ name: `${second}: ${unit} (logarithmic)`, log: true, min: low, max: high }, 'y'),
        series: [
          {
            type: 'line',
            symbol: 'none',
            silent: true,
            lineStyle: { color: faint, type: 'dashed', width: 1 },
            data: [
              [low, low],
              [high, high],
            ],
          },
          {
            type: 'scatter',
            symbolSize: 8,
            itemStyle: { color: colourOf(0), opacity: 0.75 },
            data: known.map((p) => [p[1], p[2]]),
          },
        ],
      },
    }),
  };
}

async function runs(store: Store, sets: readonly string[]): Promise<Figure> {
  const rows = await store.rows(
    `SELECT t.task, t.set_name, t.attempt, t.active_s / 60 AS minutes FROM tasks t JOIN runs USING (set_name, task)
     WHERE t.active_s > 0 ORDER BY runs.active_ratio DESC, t.task, t.attempt LIMIT 60`,
  );
  const tasks = [...new Set(rows.map((r) => `${r.task}${sets.length > 1 ? ` (${r.set_name})` : ''}`))].slice(0, 12);
  const attempts = [...new Set(rows.map((r) => Number(r.attempt)))].sort((a, b) => a - b);
  return barFigure({
    id: 'variance-runs',
    title: 'The same task run again',
    definition: 'Active time of every attempt at the same task by the same agent (the twelve tasks that vary most).',
    n: `tasks: ${tasks.length}, runs: ${rows.length}`,
    axis: 'minutes of active time',
    categories: tasks,
    series: attempts.map((attempt) => ({
      name: `attempt ${attempt}`,
      values: tasks.map((task) => {
        const row = rows.find(
          (r) => `${r.task}${sets.length > 1 ? ` (${r.set_name})` : ''}` === task && Number(r.attempt) === attempt,
        );
        return typeof row?.minutes === 'number' ? row.minutes : null;
      }),
    })),
    empty: 'No task was run more than once.',
  });
}
