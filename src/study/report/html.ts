/** Pieces of a report: one HTML document that needs nothing from outside, for desktop and phone, light and dark. */
import { css } from './css.ts';
import { escapeXml as esc, themedSvg } from './draw.ts';
import { csv, type Figure } from './figure.ts';

/** Widths at which a figure is drawn, CSS pixels: the page shows the one that suits the screen. */
const wide = 840;
const narrow = 380;

/** `body` and `after` are markup; `nav` has pairs of a section's id and its name. */
export function document(page: {
  title: string;
  nav: readonly [string, string][];
  body: string;
  after?: string;
}): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:">
<title>${esc(page.title)}</title>
<style>${css}</style>
</head>
<body>
<header>
<h1>${esc(page.title)}</h1>
<nav aria-label="Sections">${page.nav.map(([id, name]) => `<a href="#${esc(id)}">${esc(name)}</a>`).join('')}<button id="theme" type="button">Light or dark</button></nav>
</header>
<main>
${page.body}
</main>
<script>${theme}</script>
${page.after ?? ''}
</body>
</html>
`;
}

/** The switch between light and dark. What has to be painted again puts a function into `window.repaint`. */
const theme = `
(() => {
  const root = document.documentElement;
  const query = matchMedia('(prefers-color-scheme: dark)');
  window.repaint = [];
  const paint = () => { for (const f of window.repaint) f(); };
  document.getElementById('theme').addEventListener('click', () => {
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : query.matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    paint();
  });
  query.addEventListener('change', paint);
})();`;

export const section = (id: string, title: string, body: string) =>
  `<section id="${id}"><h2>${esc(title)}</h2>\n${body}</section>`;

/** JSON that cannot end its script element. */
export const inScript = (value: unknown) => JSON.stringify(value).replaceAll('<', '\\u003c');

/** On a phone each row becomes a card, its cells labelled with the heads. Cells are markup; heads too. */
export const table = (head: string[], rows: string[][], numeric: boolean[] = []) => {
  const label = (i: number) => head[i]!.replace(/<[^>]*>/g, '').replaceAll('"', '&quot;');
  const cell = (c: string, i: number) => `<td${numeric[i] ? ' class="num"' : ''} data-label="${label(i)}">${c}</td>`;
  return `<div class="scroll"><table class="cards"><thead><tr>${head
    .map((h, i) => `<th scope="col"${numeric[i] ? ' class="num"' : ''}>${h}</th>`)
    .join(
      '',
    )}</tr></thead><tbody>${rows.map((r) => `<tr>${r.map(cell).join('')}</tr>`).join('')}</tbody></table></div>`;
};

/** A link that saves the text as a file; it is in the page itself. */
export const csvLink = (name: string, text: string) =>
  `<a download="${esc(name)}.csv" href="data:text/csv;charset=utf-8,${encodeURIComponent(text)}">CSV</a>`;

/** A figure with its definition, n and data. */
export function figurePart(figure: Figure): string {
  const head = `<figure id="figure-${esc(figure.id)}"><h3>${esc(figure.title)}</h3>`;
  const definition = `<figcaption><b>Definition.</b> ${esc(figure.definition)}`;
  if (!figure.chart)
    return `${head}<p>${esc(figure.empty ?? 'Nothing to draw.')}</p>${definition}</figcaption></figure>`;
  return `${head}<div class="wide">${themedSvg(figure, wide)}</div><div class="narrow">${themedSvg(figure, narrow)}</div>
${definition} <b>n.</b> ${esc(figure.n)}. ${csvLink(figure.id, csv(figure))}</figcaption></figure>`;
}
