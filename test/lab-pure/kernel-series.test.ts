import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { type KernelSeries, lostOptions, mergeConfig, readSeries } from '../../src/lab/kernel-series.ts';
import { applySeries, hunksThatFailed } from '../../src/lab/kernel-tree.ts';

const work = mkdtempSync(join(tmpdir(), 'agentcgroup-series-'));
afterAll(() => rmSync(work, { recursive: true }));

const kernel = resolve(import.meta.dirname, '../../kernel');
const tree = join(work, 'tree');
const source = join(tree, 'mm/file.c');
const lines = Array.from({ length: 20 }, (_, i) => `line ${i + 1}`);
const text = (change: Record<number, string> = {}) => `${lines.map((l, i) => change[i + 1] ?? l).join('\n')}\n`;
beforeEach(() => {
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(join(tree, 'mm'), { recursive: true });
  writeFileSync(source, text());
});

/** A patch that changes one line of mm/file.c, with the three lines around it. */
function change(line: number, to: string, from = `line ${line}`): string {
  const around = (n: number) => ` line ${n}\n`;
  const before = [3, 2, 1].map((n) => around(line - n)).join('');
  const after = [1, 2, 3].map((n) => around(line + n)).join('');
  return `A reason.\n\n--- a/mm/file.c\n+++ b/mm/file.c\n@@ -${line - 3},7 +${line - 3},7 @@\n${before}-${from}\n+${to}\n${after}`;
}
const series = (...texts: string[]): KernelSeries => ({
  source: 'linux-source-1.0',
  patches: texts.map((text, i) => ({ name: `000${i + 1}-change.patch`, text })),
  config: '',
  recipe: '',
});

test('a tree is brought to a series, and from there to another one', async () => {
  await applySeries(tree, series(change(5, 'five'), change(12, 'twelve')));
  expect(readFileSync(source, 'utf8')).toBe(text({ 5: 'five', 12: 'twelve' }));
  await applySeries(tree, series(change(5, 'five'), change(12, 'twelve')));
  await applySeries(tree, series(change(5, 'five'), change(13, 'thirteen'), change(17, 'seventeen')));
  expect(readFileSync(source, 'utf8')).toBe(text({ 5: 'five', 13: 'thirteen', 17: 'seventeen' }));
  await applySeries(tree, series());
  expect(readFileSync(source, 'utf8')).toBe(text());
});

test('a patch that does not fit is named with file and hunk, and leaves nothing behind', async () => {
  const bad = series(change(5, 'five'), change(12, 'twelve', 'what is not there'));
  await expect(applySeries(tree, bad)).rejects.toMatchObject({
    code: 'ACG_LAB_KERNEL',
    message: expect.stringMatching(/0002-change\.patch does not fit linux-source-1\.0: mm\/file\.c: hunk 1 at line 9/),
  });
  expect(readFileSync(source, 'utf8')).toBe(text({ 5: 'five' }));
  expect(readdirSync(join(tree, 'mm'))).toEqual(['file.c']);
  await applySeries(tree, series(change(5, 'five'), change(12, 'twelve')));
  expect(readFileSync(source, 'utf8')).toBe(text({ 5: 'five', 12: 'twelve' }));
});

test('what patch says about hunks', () => {
  const said = `checking file mm/a.c\nHunk #1 succeeded at 5 (offset 2 lines).\nHunk #2 FAILED at 40.\n1 out of 2 hunks FAILED\nchecking file mm/b.c\nHunk #7 FAILED at 9.\n`;
  expect(hunksThatFailed(said)).toBe('mm/a.c: hunk 2 at line 40, mm/b.c: hunk 7 at line 9');
  expect(hunksThatFailed('checking file mm/a.c\n')).toBe('');
});

test('of two fragments the second counts, and what the kernel did not take is found', () => {
  const merged = mergeConfig('# words\nCONFIG_A=y\nCONFIG_B=y\n# CONFIG_C is not set\n', 'CONFIG_B="b"\nCONFIG_C=y\n');
  expect(merged).toBe('# words\nCONFIG_A=y\nCONFIG_B="b"\nCONFIG_C=y\n');
  const config = 'CONFIG_A=y\nCONFIG_B="b"\n# CONFIG_D is not set\nCONFIG_E=y\n';
  expect(lostOptions(`${merged}# CONFIG_D is not set\n# CONFIG_F is not set\n# CONFIG_E is not set\n`, config)).toEqual(
    ['CONFIG_C=y', '# CONFIG_E is not set'],
  );
});

test('the recipe of a kernel changes with any of its ingredients', async () => {
  const [plain, again, debug] = [await readSeries(false), await readSeries(false), await readSeries(true)];
  expect(plain.recipe).toBe(again.recipe);
  expect(debug.recipe).not.toBe(plain.recipe);
  const copy = join(work, 'kernel');
  cpSync(kernel, copy, { recursive: true });
  expect((await readSeries(false, copy)).recipe).toBe(plain.recipe);
  writeFileSync(join(copy, 'patches/0099-more.patch'), change(5, 'five'));
  expect((await readSeries(false, copy)).recipe).not.toBe(plain.recipe);
});

test('the series is whole: every patch says why, who and under what licence it is', async () => {
  const { patches, source, config } = await readSeries(false);
  expect(source).toMatch(/^linux-source-\d+\.\d+$/);
  expect(config).toContain('CONFIG_MEMCG=y');
  expect(patches.length).toBeGreaterThan(3);
  for (const [i, { name, text }] of patches.entries()) {
    expect(name).toMatch(new RegExp(`^000${i + 1}-`));
    expect(text).toMatch(/^Subject: \[PATCH\] \S+: \S/m);
    expect(text).toMatch(/^Signed-off-by: /m);
    for (const file of text.matchAll(/^--- \/dev\/null\n\+\+\+ b\/(\S+\.[ch])\n@@[^\n]*\n\+([^\n]*)/gm))
      expect(file[2], file[1]).toMatch(/SPDX-License-Identifier: GPL-2\.0-only/);
  }
  expect(existsSync(join(kernel, 'README.md'))).toBe(true);
});

test('the series that last passed the kernel tests is named; CI builds and tests another one', () => {
  expect(readFileSync(join(kernel, 'tested'), 'utf8')).toMatch(/^[0-9a-f]{12}\n$/);
});
