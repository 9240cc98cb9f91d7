/** What every study draws and writes with: figures as SVG, and one HTML page around them. */
export { type BarFigure, barFigure } from './bars.ts';
export { type Curve, type CurveFigure, curveFigure, steps } from './curves.ts';
export { escapeXml, svgOf } from './draw.ts';
export { type Cell, csv, emptyFigure, type Figure } from './figure.ts';
export { csvLink, document, figurePart, inScript, section, table } from './html.ts';
export { type LineFigure, lineFigure } from './lines.ts';
export { shown } from './shown.ts';
export * from './style.ts';
