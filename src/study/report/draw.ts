import { BarChart, LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, LegendComponent, MarkAreaComponent } from 'echarts/components';
import * as echarts from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type { Figure } from './figure.ts';
import { faint, ink, paper, rule } from './style.ts';

echarts.use([BarChart, LineChart, ScatterChart, GridComponent, LegendComponent, MarkAreaComponent, SVGRenderer]);

/** The figure as a free-standing SVG document of that width, on a light ground. Null when there is nothing to draw. */
export function svgOf(figure: Figure, width: number): string | null {
  const drawn = draw(figure, width);
  if (!drawn) return null;
  const ground = `<rect width="100%" height="100%" fill="${paper}"/>`;
  return drawn.replace(
    /(<svg[^>]*>)/,
    `$1<title>${escapeXml(figure.title)}</title><desc>${escapeXml(figure.definition)}</desc>${ground}`,
  );
}

/** The figure for the report: neutral colours follow the page's theme. */
export function themedSvg(figure: Figure, width: number): string | null {
  const drawn = draw(figure, width);
  if (!drawn) return null;
  const variables: [string, string][] = [
    [ink, 'var(--ink)'],
    [faint, 'var(--faint)'],
    [rule, 'var(--rule)'],
  ];
  const themed = variables.reduce((svg, [from, to]) => svg.replaceAll(from, to), drawn);
  return themed
    .replace(/<svg width="(\d+)" height="(\d+)"/, '<svg width="$1" height="$2" role="img"')
    .replace(/(<svg[^>]*>)/, `$1<title>${escapeXml(`${figure.title}. ${figure.alt}`)}</title>`);
}

function draw(figure: Figure, width: number): string | null {
  if (!figure.chart) return null;
  const { option, height } = figure.chart(width);
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption(option);
    // the classes and styles of ECharts' hover effects name every shape; a still picture needs neither
    return chart
      .renderToSVGString({ useViewBox: true })
      .replace(/ class="[^"]*"/g, '')
      .replace(/ ecmeta_[a-z_]+="[^"]*"/g, '')
      .replace(/<style[^>]*>[\s\S]*?<\/style>/g, '');
  } finally {
    chart.dispose();
  }
}

export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
