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

const deciles = Array.from({ length: 10 }, (_, i) => i);

interface Line {
  name: string;
  values: (number | null)[];
}

function lines(id: string, title: string, definition: string, n: string, unit: string, drawn: readonly Line[]): Figure {
  const names = drawn.map((l) => l.name);
  return {
    id,
    title,
    definition,
    n,
    columns: ['per cent of the session', ...names.map((name) => `${name} (${unit})`)],
    rows: deciles.map((d) => [d * 10 + 5, ...drawn.map((l) => l.values[d] ?? null)]),
    alt: drawn
      .map(
        (l) =>
          `${l.name}: first tenth ${l.values[0]?.toFixed(1) ?? 'none'}, last tenth ${l.values[9]?.toFixed(1) ?? 'none'}`,
      )
      .join('; '),
    chart: (width) => ({
      height: (isNarrow(width) ? 260 : 300) + legendHeight(names, width),
      option: {
        ...frame(width, names),
        xAxis: valueAxis({ name: '% of the session', min: 0, max: 100 }, 'x'),
        yAxis: valueAxis({ name: unit, min: 0 }, 'y'),
        series: drawn.map((l, i) => ({
          type: 'line',
          name: l.name,
          color: colourOf(i),
          symbol: 'circle',
          symbolSize: 5,
          lineStyle: { width: 2, type: dashOf(i) },
          data: l.values.map((v, d) => [d * 10 + 5, v]),
        })),
      },
    }),
  };
}

/** Tool-time share and calls, by tenth of the session. */
export async function progressFigures(store: Store, sets: readonly string[]): Promise<Figure[]> {
  const share = await store.rows(
    `SELECT set_name, least(9, floor(10 * t_s / sampled))::INTEGER AS d, 100 * avg(in_leaf::INTEGER) AS v, count(*) AS n FROM (
       SELECT s.set_name, s.t_s, s.in_leaf, t.sampled_s AS sampled FROM samples_used s JOIN tasks_used t USING (id) WHERE t.sampled_s > 0 AND t.calls > 0)
     GROUP BY ALL ORDER BY ALL`,
  );
  const calls = await store.rows(
    `SELECT set_name, tool, least(9, floor(10 * progress))::INTEGER AS d, count(*) AS n FROM calls_used
     WHERE progress BETWEEN 0 AND 1 GROUP BY ALL`,
  );
  const first = 'tool-share-over-progress';
  const second = 'calls-over-progress';
  const definition = 'Samples inside a leaf call / samples, by tenth of the sampled window.';
  const one = share.length
    ? lines(
        first,
        'Tool time over the course of a session',
        definition,
        sets
          .map(
            (s) =>
              `${s}: ${share
                .filter((r) => r.set_name === s)
                .reduce((sum, r) => sum + Number(r.n), 0)
                .toLocaleString('en')} samples`,
          )
          .join('; '),
        '% of samples in calls',
        sets.flatMap((set) => {
          const own = share.filter((r) => r.set_name === set);
          return own.length
            ? [{ name: set, values: deciles.map((d) => (own.find((r) => r.d === d)?.v as number | undefined) ?? null) }]
            : [];
        }),
      )
    : emptyFigure(
        first,
        'Tool time over the course of a session',
        definition,
        'No session has both samples and tool calls.',
      );
  const rule =
    'Calls of the tool that start in that tenth of the sampled window / all its calls; the four tools called most. Level would be 10 %.';
  if (!calls.length)
    return [
      one,
      emptyFigure(second, 'Calls over the course of a session', rule, 'No session has both samples and tool calls.'),
    ];
  const counts = [...Map.groupBy(calls, (r) => String(r.tool))].map(([tool, own]) => ({
    tool,
    own,
    n: own.reduce((sum, r) => sum + Number(r.n), 0),
  }));
  const top = counts.sort((a, b) => b.n - a.n).slice(0, 4);
  const two = lines(
    second,
    'Calls over the course of a session',
    rule,
    top.map((t) => `${t.tool}: ${t.n.toLocaleString('en')} calls`).join('; '),
    "% of the tool's calls",
    top.map(({ tool, own, n }) => ({
      name: tool,
      values: deciles.map((d) => (100 * own.filter((r) => r.d === d).reduce((sum, r) => sum + Number(r.n), 0)) / n),
    })),
  );
  return [one, two];
}
