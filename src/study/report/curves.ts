import { emptyFigure, type Figure } from './figure.ts';
import { type Axis, colourOf, dashOf, frame, isNarrow, legendHeight, valueAxis } from './style.ts';

/** Quantiles of one value, by set. */
export interface Curve {
  set: string;
  n: number;
  sessions: number;
  /** One for each of `steps`, rising. */
  at: number[];
}

/** Every per cent, and closer at the top, where the bursts are. */
export const steps = [
  ...Array.from({ length: 100 }, (_, i) => i / 100),
  0.995,
  0.998,
  0.999,
  0.9995,
  0.9998,
  0.9999,
  1,
];
/** Fewer values make no distribution. */
const least = 5;

export interface CurveFigure {
  id: string;
  title: string;
  definition: string;
  what: string;
  /** What `sessions` of the curves counts, where it is something else. */
  from?: string;
  x: Axis;
  /** Cumulative share up to x, or the share above x (for long tails), on a logarithmic axis where the tail is what counts. */
  above?: boolean | 'logarithmic';
  empty: string;
}

/** Distribution curves: for each value, the per cent of rows at or below it (or above it). */
export function curveFigure(spec: CurveFigure, all: readonly Curve[]): Figure {
  const drawn = all.filter((c) => c.n >= least);
  const few = all.filter((c) => c.n < least).map((c) => c.set);
  if (!drawn.length)
    return emptyFigure(
      spec.id,
      spec.title,
      spec.definition,
      few.length ? `Fewer than five ${spec.what} in each set.` : spec.empty,
    );
  const names = drawn.map((c) => c.set);
  const share = (i: number) => Number((100 * (spec.above ? 1 - steps[i]! : steps[i]!)).toFixed(2));
  const tail = spec.above === 'logarithmic';
  const median = steps.indexOf(0.5);
  const high = steps.indexOf(0.95);
  return {
    id: spec.id,
    title: spec.title,
    definition: spec.definition,
    n: [
      ...drawn.map(
        (c) =>
          `${c.set}: ${c.n.toLocaleString('en')} ${spec.what}${spec.what === 'sessions' ? '' : ` (${c.sessions} ${spec.from ?? 'sessions'})`}`,
      ),
      ...few.map((set) => `${set}: too few`),
    ].join('; '),
    columns: ['per cent', ...names.map((s) => `${s} (${spec.x.name})`)],
    rows: steps.map((_, i) => [share(i), ...drawn.map((c) => c.at[i]!)]),
    alt: drawn
      .map(
        (c) =>
          `${c.set}: median ${Number(c.at[median]!.toPrecision(3))}, 95th percentile ${Number(c.at[high]!.toPrecision(3))}`,
      )
      .join('; '),
    chart: (width) => ({
      height: (isNarrow(width) ? 260 : 320) + legendHeight(names, width),
      option: {
        ...frame(width, names),
        xAxis: valueAxis(spec.x, 'x'),
        yAxis: valueAxis(
          {
            name: spec.above ? `% of ${spec.what} above${tail ? ' (logarithmic)' : ''}` : `% of ${spec.what} up to`,
            ...(tail ? { log: true, min: 0.01, max: 100 } : { min: 0, max: 100 }),
          },
          'y',
        ),
        series: drawn.map((c, i) => ({
          type: 'line',
          name: c.set,
          symbol: 'none',
          color: colourOf(i),
          lineStyle: { width: 2, type: dashOf(i) },
          data: c.at.flatMap((v, k) => ((spec.x.log && v <= 0) || (tail && share(k) <= 0) ? [] : [[v, share(k)]])),
        })),
      },
    }),
  };
}
