import { emptyFigure, type Figure } from './figure.ts';
import { categoryAxis, colourOf, frame, ink, isNarrow, legendHeight, short, valueAxis } from './style.ts';

export interface BarFigure {
  id: string;
  title: string;
  definition: string;
  n: string;
  /** Unit of the values, with what they are: the axis name. */
  axis: string;
  categories: readonly string[];
  series: readonly {
    name: string;
    values: readonly (number | null)[];
    low?: readonly number[];
    high?: readonly number[];
  }[];
  stacked?: boolean;
  max?: number;
  empty: string;
}

/** Horizontal bars: category names stay readable at any width. */
export function barFigure(spec: BarFigure): Figure {
  const known = spec.series.filter((s) => s.values.some((v) => v !== null));
  if (!known.length || !spec.categories.length) return emptyFigure(spec.id, spec.title, spec.definition, spec.empty);
  const names = known.map((s) => s.name);
  const perRow = spec.stacked ? 1 : known.length;
  return {
    id: spec.id,
    title: spec.title,
    definition: spec.definition,
    n: spec.n,
    columns: ['', ...names.map((n) => `${n} (${spec.axis})`)],
    rows: spec.categories.map((c, i) => [c, ...known.map((s) => s.values[i] ?? null)]),
    alt: spec.categories
      .map(
        (c, i) =>
          `${c}: ${known.map((s) => `${s.name} ${s.values[i] === null || s.values[i] === undefined ? 'none' : short(s.values[i]!)}`).join(', ')}`,
      )
      .join('; '),
    chart: (width) => ({
      height: spec.categories.length * (perRow * 17 + 12) + 66 + legendHeight(names, width),
      option: {
        ...frame(width, names),
        grid: { ...(frame(width, names).grid as object), right: 52 },
        xAxis: valueAxis({ name: spec.axis, min: 0, ...(spec.max !== undefined && { max: spec.max }) }, 'x'),
        yAxis: {
          ...categoryAxis(spec.categories, 'y'),
          axisLabel: {
            color: ink,
            fontSize: 11,
            interval: 0,
            width: labelWidth(spec.categories, width),
            overflow: 'break',
            lineHeight: 13,
          },
        },
        series: known.map((s, i) => ({
          type: 'bar',
          name: s.name,
          color: colourOf(i),
          barCategoryGap: '28%',
          ...(spec.stacked && { stack: 'all' }),
          label: spec.stacked
            ? {
                show: true,
                position: 'inside',
                color: '#ffffff',
                fontSize: 11,
                formatter: (p: { value: number }) => (p.value >= 6 ? short(p.value) : ''),
              }
            : {
                show: true,
                position: 'right',
                color: ink,
                fontSize: 11,
                formatter: (p: { value: number | null }) => (p.value === null ? '' : short(p.value)),
              },
          data: s.values.map((v) => (v === null ? null : v)),
        })),
      },
    }),
  };
}

/** As wide as the longest label, within bounds: a character is about 6.5 px at 11 px. */
function labelWidth(labels: readonly string[], width: number): number {
  return Math.min(isNarrow(width) ? 104 : 240, Math.max(...labels.map((l) => Math.ceil(l.length * 6.5) + 4)));
}
