import type { EChartsCoreOption } from 'echarts/core';

export type Cell = number | string | null;

/** One picture with everything a reader needs to check it. */
export interface Figure {
  id: string;
  title: string;
  /** What is drawn: value, rows, unit. */
  definition: string;
  /** Rows and sessions behind it, in words. */
  n: string;
  /** Its data: what the CSV holds. */
  columns: string[];
  rows: Cell[][];
  /** The picture for a given width in CSS pixels. Null: nothing to draw, `empty` says why. */
  chart: ((width: number) => { option: EChartsCoreOption; height: number }) | null;
  empty?: string;
  /** What it says, for those who cannot see it. */
  alt: string;
}

export function emptyFigure(id: string, title: string, definition: string, why: string): Figure {
  return { id, title, definition, n: '', columns: [], rows: [], chart: null, empty: why, alt: why };
}

/** RFC 4180. Cells that a spreadsheet would take for a formula get a leading quote: task names come from outside. */
export function csv(figure: Pick<Figure, 'columns' | 'rows'>): string {
  const cell = (c: Cell): string => {
    if (c === null) return '';
    if (typeof c === 'number') return String(Number(c.toPrecision(12)));
    const safe = /^[=+\-@\t\r]/.test(c) ? `'${c}` : c;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return `${[figure.columns, ...figure.rows].map((r) => r.map(cell).join(',')).join('\r\n')}\r\n`;
}
