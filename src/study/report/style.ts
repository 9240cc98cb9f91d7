import type { EChartsCoreOption } from 'echarts/core';

/**
 * Colours by meaning. The drawing uses these exact values; the report replaces the neutral ones by CSS variables, so that
 * one drawing serves light and dark.
 */
export const ink = '#1b1f24';
export const faint = '#5a6370';
export const rule = '#d4d8de';
export const paper = '#fdfdfc';

/** Okabe and Ito's colours, which people with colour blindness tell apart; blue and green darkened for contrast on white. */
export const palette = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#b8860b', '#56b4e9', '#7f7f7f', '#6a3d9a'];
/** Lines differ by dash as well, for print and for those who do not see colour. */
const dashes: (string | number[])[] = ['solid', [6, 4], [2, 3], [10, 4, 2, 4], [12, 4], [4, 2]];

export const dashOf = (i: number): string | number[] => dashes[i % dashes.length]!;
export const colourOf = (i: number): string => palette[i % palette.length]!;

export const isNarrow = (width: number): boolean => width < 600;

/** What all pictures share. `top` leaves room for the legend. */
export function frame(width: number, legend: readonly string[]): EChartsCoreOption {
  const rows = legend.length > 1 ? legendRows(legend, width) : 0;
  return {
    animation: false,
    backgroundColor: 'transparent',
    color: palette,
    textStyle: { fontFamily: 'system-ui, sans-serif', fontSize: 12, color: ink },
    legend:
      legend.length > 1
        ? {
            data: [...legend],
            top: 0,
            left: 'center',
            width: Math.round(width * 0.88),
            itemGap: 20,
            itemWidth: 26,
            textStyle: { color: ink, fontSize: 12 },
          }
        : { show: false },
    grid: {
      top: rows * 22 + 14,
      left: 12,
      right: isNarrow(width) ? 18 : 26,
      bottom: 8,
      outerBoundsMode: 'same',
      outerBoundsContain: 'all',
    },
  };
}

export const legendHeight = (legend: readonly string[], width: number): number =>
  legend.length > 1 ? legendRows(legend, width) * 22 : 0;

/** The legend wraps; a character is about 7 px wide at 12 px. */
function legendRows(legend: readonly string[], width: number): number {
  let rows = 1;
  let used = 0;
  for (const name of legend) {
    const own = name.length * 7 + 52;
    if (used + own > width * 0.88 && used > 0) {
      rows++;
      used = 0;
    }
    used += own;
  }
  return rows;
}

export interface Axis {
  name: string;
  log?: boolean;
  min?: number;
  max?: number;
}

export function valueAxis({ name, log, min, max }: Axis, direction: 'x' | 'y'): Record<string, unknown> {
  return {
    type: log ? 'log' : 'value',
    name,
    nameLocation: 'middle',
    nameGap: direction === 'x' ? 26 : 44,
    nameTextStyle: { color: faint, fontSize: 12 },
    axisLabel: {
      color: ink,
      fontSize: 11,
      hideOverlap: true,
      formatter: short,
      ...(max !== undefined && !Number.isInteger(max / 10) && { showMaxLabel: false }),
    },
    axisLine: { show: true, lineStyle: { color: faint } },
    axisTick: { show: true, lineStyle: { color: faint } },
    splitLine: { lineStyle: { color: rule } },
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
  };
}

export function categoryAxis(names: readonly string[], direction: 'x' | 'y', name = ''): Record<string, unknown> {
  return {
    type: 'category',
    data: [...names],
    name,
    nameLocation: 'middle',
    nameGap: 28,
    nameTextStyle: { color: faint, fontSize: 12 },
    axisLabel: { color: ink, fontSize: 11, interval: 0, ...(direction === 'x' && { hideOverlap: true }) },
    axisLine: { lineStyle: { color: faint } },
    axisTick: { show: false },
    ...(direction === 'y' && { inverse: true }),
  };
}

/** Numbers as people write them: 1,200 and 0.05, never 1e-2. */
export function short(value: number | string): string {
  const v = Number(value);
  if (!Number.isFinite(v)) return '';
  if (v === 0) return '0';
  const size = Math.abs(v);
  if (size >= 100) return Math.round(v).toLocaleString('en');
  return String(Number(v.toPrecision(size >= 1 ? 3 : 2)));
}
