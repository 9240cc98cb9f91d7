import {
  colourOf,
  dashOf,
  emptyFigure,
  type Figure,
  frame,
  isNarrow,
  legendHeight,
  valueAxis,
} from '../../report/index.ts';
import type { Store } from '../store.ts';

const bins = 50;

/** Memory over the course of all sessions of a set: median, and the band from the 10th to the 90th percentile. */
export async function trajectory(store: Store, sets: readonly string[]): Promise<Figure> {
  const id = 'memory-trajectory';
  const title = 'Memory over the course of a session';
  const definition =
    'Memory of the samples of all sessions by place in the sampled window (50 places): median, and the band between the 10th and the 90th percentile (sets of five or more sessions).';
  const rows = await store.rows(
    `SELECT set_name, least(${bins - 1}, floor(${bins} * t_s / sampled))::INTEGER AS b, quantile_cont(mem_mb, [0.1, 0.5, 0.9]) AS q, count(*) AS n, count(DISTINCT id) AS sessions FROM (
       SELECT s.set_name, s.id, s.t_s, s.mem_mb, t.sampled_s AS sampled FROM samples_used s JOIN tasks_used t USING (id) WHERE t.sampled_s > 0 AND NOT s.gone)
     GROUP BY ALL ORDER BY ALL`,
  );
  if (!rows.length) return emptyFigure(id, title, definition, 'No session has samples.');
  const own = sets.map((set) => ({ set, rows: rows.filter((r) => r.set_name === set) })).filter((s) => s.rows.length);
  const names = own.map((s) => s.set);
  const q = (r: (typeof rows)[number], i: number) => (r.q as unknown as number[])[i]!;
  const at = (r: (typeof rows)[number]) => (100 * (Number(r.b) + 0.5)) / bins;
  return {
    id,
    title,
    definition,
    n: own
      .map((s) => `${s.set}: ${s.rows.reduce((sum, r) => sum + Number(r.n), 0).toLocaleString('en')} samples`)
      .join('; '),
    columns: [
      'per cent of the session',
      ...names.flatMap((s) => [`${s} p10 (MB)`, `${s} median (MB)`, `${s} p90 (MB)`]),
    ],
    rows: Array.from({ length: bins }, (_, b) => [
      (100 * (b + 0.5)) / bins,
      ...own.flatMap((s) => {
        const r = s.rows.find((x) => x.b === b);
        return r ? [q(r, 0), q(r, 1), q(r, 2)] : [null, null, null];
      }),
    ]),
    alt: own
      .map(
        (s) =>
          `${s.set}: median ${q(s.rows[0]!, 1).toFixed(0)} MB at the start, ${q(s.rows.at(-1)!, 1).toFixed(0)} MB at the end`,
      )
      .join('; '),
    chart: (width) => ({
      height: (isNarrow(width) ? 270 : 340) + legendHeight(names, width),
      option: {
        ...frame(width, names),
        xAxis: valueAxis({ name: '% of the session', min: 0, max: 100 }, 'x'),
        yAxis: valueAxis({ name: 'MB', min: 0 }, 'y'),
        series: own.flatMap((s, i) => [
          ...(s.rows.some((r) => Number(r.sessions) < 5)
            ? []
            : [
                {
                  type: 'line',
                  name: `${s.set} p10`,
                  stack: s.set,
                  symbol: 'none',
                  lineStyle: { opacity: 0 },
                  data: s.rows.map((r) => [at(r), q(r, 0)]),
                },
                {
                  type: 'line',
                  name: `${s.set} p90`,
                  stack: s.set,
                  symbol: 'none',
                  lineStyle: { opacity: 0 },
                  areaStyle: { color: colourOf(i), opacity: 0.2 },
                  data: s.rows.map((r) => [at(r), q(r, 2) - q(r, 0)]),
                },
              ]),
          {
            type: 'line',
            name: s.set,
            symbol: 'none',
            color: colourOf(i),
            lineStyle: { width: 2, type: dashOf(i) },
            data: s.rows.map((r) => [at(r), q(r, 1)]),
          },
        ]),
      },
    }),
  };
}
