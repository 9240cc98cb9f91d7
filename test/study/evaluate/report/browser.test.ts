/** The evaluation's report in a real browser, at desktop and phone width, light and dark. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { report } from '../../../../src/study/evaluate/report/index.ts';
import { Browser, chromium } from '../../characterize/browser.ts';
import { blocks, madeRun, type Truth } from './runs.ts';

const program = chromium();
if (!program) console.warn('no Chromium on PATH (set CHROMIUM): the report is not opened in a browser');

const base: Truth = { highMs: 8000, lowMs: 12_000, growthMs: 2 };

describe.skipIf(!program)('in Chromium', () => {
  let browser: Browser;
  let dir: string;
  let url: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'acg-report-browser-'));
    const arms = { alone: base, none: { ...base, dies: 0.5, growthMs: 4 }, oomd: base, 'agentcgroup-sched-ext': base };
    const runs = [
      ...blocks(12, arms),
      madeRun('none', 12, { ...base, broken: 'the guest <b>did</b> not answer' }),
      ...[2, 4].flatMap((variant) => blocks(3, { alone: base, none: base }, { scenario: 'sweep', variant })),
    ];
    await writeFile(join(dir, 'runs.ndjson'), runs.map((r) => `${JSON.stringify(r)}\n`).join(''));
    const written = await report(join(dir, 'runs.ndjson'), dir);
    url = pathToFileURL(written.report).href;
    browser = await Browser.start(program!);
  }, 120_000);
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  test.each([
    ['desktop', 1100, false, false],
    ['phone', 390, true, true],
  ] as const)(
    'at %s width nothing sticks out, and what is said of an arm can be opened',
    async (_, width, mobile, dark) => {
      await browser.open(url, { width, height: 900, mobile, dark });
      expect(await browser.sticksOut(width)).toEqual([]);
      // figures are drawn, one time line for an arm among them
      expect(await browser.value("document.querySelectorAll('figure svg').length")).toBeGreaterThan(6);
      // our arm's findings are open at once; another's open when asked, and show text that was hidden
      const [ours, others] = await browser.value<[number, number]>(
        "['agentcgroup', 'oomd'].map((name) => [...document.querySelectorAll('details.finding')].filter((d) => d.open && d.textContent.startsWith(name)).length)",
      );
      expect(ours).toBeGreaterThan(0);
      expect(others).toBe(0);
      const opened = await browser.value<number>(
        "(() => { const d = [...document.querySelectorAll('details.finding')].find((x) => !x.open); d.querySelector('summary').click(); return d.querySelector('li').getBoundingClientRect().height; })()",
      );
      expect(opened).toBeGreaterThan(5);
      expect(await browser.sticksOut(width)).toEqual([]);
      // a run's reason stands there as words, not as markup
      expect(await browser.value("document.body.textContent.includes('the guest <b>did</b> not answer')")).toBe(true);
      expect(browser.problems).toEqual([]);
    },
  );
});
