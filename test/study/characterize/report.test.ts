/** The report in a real browser: it opens without errors, at desktop and phone width, zooms its time line and tells a value. */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Store, study, type Written, writeReport } from '../../../src/study/characterize/index.ts';
import { Browser, chromium } from './browser.ts';

const program = chromium();
if (!program) console.warn('no Chromium on PATH (set CHROMIUM): the report is not opened in a browser');

const t0 = 1_770_000_000_000;
let dir: string;
let written: Written;

/** Twelve sessions of two minutes with a burst of a test each; the highest, at second 60, in the session "tall". */
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'agentcgroup-report-test-'));
  const records = Array.from({ length: 12 }, (_, k) => {
    const id = k === 7 ? 'tall' : `s${k}`;
    return [
      {
        type: 'session',
        version: 1,
        session: id,
        tenant: 'x',
        source: 'record',
        task: id,
        model: k % 2 ? 'm1' : 'm2',
        start: t0,
        end: t0 + 120_000,
      },
      ...Array.from({ length: 121 }, (_, s) => ({
        type: 'sample',
        session: id,
        t: t0 + s * 1000,
        memoryBytes: (s >= 55 && s <= 65 ? (k === 7 ? 2000 : 300) - 10 * Math.abs(s - 60) : 180 + (s % 3)) * 1e6,
        cpuUsec: s * 1e5 + (s > 55 ? 9e6 : 0),
      })),
      {
        type: 'call',
        call: `${id}a`,
        session: id,
        tenant: 'x',
        tool: 'Bash',
        seq: 0,
        command: 'pytest "<b>& tests</b>"',
        start: t0 + 54_500,
        end: t0 + 66_000,
      },
      ...Array.from({ length: 6 }, (_, n) => ({
        type: 'call',
        call: `${id}${n}`,
        session: id,
        tenant: 'x',
        tool: n % 2 ? 'Bash' : 'Read',
        seq: n + 1,
        start: t0 + 70_000 + n * 4000,
        end: t0 + 72_000 + n * 4000,
        ...(n % 2 && { command: 'git status' }),
      })),
    ];
  }).flat();
  await writeFile(join(dir, 'made.ndjson'), records.map((r) => `${JSON.stringify(r)}\n`).join(''));
  await using store = await Store.create();
  written = await writeReport(store, await study(store, [{ path: join(dir, 'made.ndjson') }]), join(dir, 'out'));
}, 60_000);

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

test('the report stands alone: nothing is loaded from elsewhere', async () => {
  const html = await readFile(written.report, 'utf8');
  const own = html.replace(/<script>[\s\S]*?<\/script>/g, '');
  expect(own).not.toMatch(/<(?:script|img|iframe)[^>]+src=|<link|@import|url\((?!#)/);
  expect(html).toContain("default-src 'none'");
});

test('every figure that is drawn is there as SVG and as CSV, with unit and definition', async () => {
  const files = await readdir(join(dir, 'out', 'figures'));
  expect(written.figures.length).toBeGreaterThan(12);
  for (const id of written.figures) {
    expect(files).toContain(`${id}.svg`);
    const svg = await readFile(join(dir, 'out', 'figures', `${id}.svg`), 'utf8');
    expect(svg).toMatch(/^<svg[^>]*>\s*<title>[^<]+<\/title><desc>[^<]{30,}<\/desc>/);
    expect(svg).not.toContain('NaN');
    const [head, ...rows] = (await readFile(join(dir, 'out', 'figures', `${id}.csv`), 'utf8')).trimEnd().split('\r\n');
    expect(rows.length, id).toBeGreaterThan(0);
    expect(head, id).toMatch(/,/);
  }
});

describe.skipIf(!program)('in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await Browser.start(program!);
  }, 60_000);
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
  });
  const url = () => pathToFileURL(written.report).href;

  test('the time line shows the highest session first, zooms with the wheel, and reads a value under the pointer', async () => {
    await browser.open(url(), { width: 1100, height: 900 });
    expect(await browser.value("document.getElementById('readout').textContent")).toMatch(
      /^60 s: memory 2,000 MB, CPU .*tests: pytest "<b>& tests<\/b>"/,
    );
    const box = await browser.value<{ x: number; y: number; width: number; height: number }>(
      "(() => { const e = document.getElementById('timeline'); e.scrollIntoView({ block: 'center' }); return e.getBoundingClientRect().toJSON(); })()",
    );
    const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    await browser.mouse('mouseMoved', middle.x, middle.y);
    for (let i = 0; i < 4; i++) await browser.mouse('mouseWheel', middle.x, middle.y, -240);
    const zoom = await browser.value<string>(
      "new Promise((done) => { const look = (n) => { const z = document.getElementById('timeline').dataset.zoom; z || n === 0 ? done(z ?? '') : setTimeout(look, 100, n - 1); }; look(50); })",
    );
    const [from, to] = zoom.split(' ').map(Number);
    expect(from).toBeGreaterThan(5);
    expect(to).toBeLessThan(95);
    await browser.mouse('mouseMoved', middle.x + 3, middle.y + 3);
    const read = await browser.value<string>(
      "new Promise((done) => setTimeout(() => done(document.getElementById('readout').textContent), 300))",
    );
    const [, second, mb] = /^([\d.]+) s: memory ([\d,.]+) MB/.exec(read)!;
    expect(Math.abs(Number(second) - 60)).toBeLessThan(12);
    expect(Number(mb!.replace(',', ''))).toBeGreaterThan(100);
    // the slider does the same without a pointer
    await browser.value(
      "(() => { const m = document.getElementById('moment'); m.value = '10'; m.dispatchEvent(new Event('input')); })()",
    );
    expect(await browser.value("document.getElementById('readout').textContent")).toMatch(
      /^10 s: memory 181 MB, CPU 10 % of one core; no call$/,
    );
    expect(browser.problems).toEqual([]);
  });

  test.each([
    ['desktop', 1100, false],
    ['phone', 390, true],
  ] as const)('at %s width nothing sticks out, and every figure stays inside its frame', async (_, width, mobile) => {
    await browser.open(url(), { width, height: 900, mobile });
    expect(await browser.sticksOut(width)).toEqual([]);
    expect(browser.problems).toEqual([]);
  });

  test('dark: text keeps its contrast', async () => {
    await browser.open(url(), { width: 800, height: 600, dark: true });
    const [ink, ground] = await browser.value<[string, string]>(
      '[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]',
    );
    expect(contrast(ink, ground)).toBeGreaterThan(7);
    const label = await browser.value<string>("getComputedStyle(document.querySelector('figure .wide svg text')).fill");
    expect(contrast(label, ground)).toBeGreaterThan(4.5);
    await browser.value("document.getElementById('theme').click()");
    expect(await browser.value('document.documentElement.dataset.theme')).toBe('light');
  });
});

test('the browser test was not skipped for lack of a report', () => {
  expect(existsSync(written.report)).toBe(true);
});

/** WCAG 2 contrast ratio of two rgb() colours. */
function contrast(a: string, b: string): number {
  const luminance = (rgb: string) => {
    const [r, g, bl] = rgb
      .match(/[\d.]+/g)!
      .slice(0, 3)
      .map((v) => {
        const c = Number(v) / 255;
        return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
      });
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * bl!;
  };
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high! + 0.05) / (low! + 0.05);
}
