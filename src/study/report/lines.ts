import { emptyFigure, type Figure } from './figure.ts';
import { type Axis, colourOf, dashOf, frame, isNarrow, legendHeight, short, valueAxis } from './style.ts';

export interface LineFigure {
  id: string;
  title: string;
  definition: string;
  n: string;
  x: Axis;
  y: Axis;
  /** A point's `low` and `high` are its interval, drawn as a band. */
  series: readonly { name: string; points: readonly { x: number; y: number; low?: number; high?: number }[] }[];
  empty: string;
}

/** One line for each series, over numbers; with a band where there are intervals. */
export function lineFigure(spec: LineFigure): Figure {
  const drawn = spec.series.filter((s) => s.points.length > 0);
  if (drawn.length === 0) return emptyFigure(spec.id, spec.title, spec.definition, spec.empty);
  const names = drawn.map((s) => s.name);
  const xs = [...new Set(drawn.flatMap((s) => s.points.map((p) => p.x)))].sort((a, b) => a - b);
  return {
    id: spec.id,
    title: spec.title,
    definition: spec.definition,
    n: spec.n,
    columns: [spec.x.name, ...names.flatMap((n) => [`${n} (${spec.y.name})`, `${n}, low`, `${n}, high`])],
    rows: xs.map((x) => [
      x,
      ...drawn.flatMap((s) => {
        const p = s.points.find((q) => q.x === x);
        return [p?.y ?? null, p?.low ?? null, p?.high ?? null];
      }),
    ]),
    alt: drawn
      .map(
        (s) =>
          `${s.name}: ${short(s.points[0]!.y)} at ${short(s.points[0]!.x)}, ${short(s.points.at(-1)!.y)} at ${short(s.points.at(-1)!.x)}`,
      )
      .join('; '),
    chart: (width) => ({
      height: (isNarrow(width) ? 260 : 320) + legendHeight(names, width),
      option: {
        ...frame(width, names),
        xAxis: valueAxis(spec.x, 'x'),
        yAxis: valueAxis(spec.y, 'y'),
        series: drawn.flatMap((s, i) => [
          ...(s.points.every((p) => p.low !== undefined && p.high !== undefined) && s.points.length > 1
            ? [
                {
                  type: 'line',
                  name: `${s.name}, low`,
                  stack: s.name,
                  symbol: 'none',
                  lineStyle: { opacity: 0 },
                  data: s.points.map((p) => [p.x, p.low]),
                },
                {
                  type: 'line',
                  name: `${s.name}, high`,
                  stack: s.name,
                  symbol: 'none',
                  lineStyle: { opacity: 0 },
                  areaStyle: { color: colourOf(i), opacity: 0.15 },
                  data: s.points.map((p) => [p.x, p.high! - p.low!]),
                },
              ]
            : []),
          {
            type: 'line',
            name: s.name,
            color: colourOf(i),
            symbol: 'circle',
            symbolSize: 5,
            lineStyle: { width: 2, type: dashOf(i) },
            data: s.points.map((p) => [p.x, p.y]),
          },
        ]),
      },
    }),
  };
}
