import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

/** Which room may import which (DESIGN section 5). A room not listed may import only itself. */
const allowed: Record<string, string[]> = {
  model: [],
  trace: ['model'],
  'control/policy': ['model'],
  'control/native': ['model'],
  'control/cgroup': ['model', 'control/native'],
  'control/record': ['model', 'trace', 'control/cgroup', 'control/native'],
  'control/kernel': ['model', 'control/native'],
  'control/doctor': ['model', 'control/native', 'control/cgroup', 'control/kernel'],
  'control/intercept': ['model', 'control/native', 'control/cgroup'],
  'control/client': ['model'],
  'control/intercept/hooks': [],
  'control/intercept/install': ['model'],
  'control/intercept/mcp': ['control/client'],
  'control/daemon': [
    'model',
    'control/client',
    'trace',
    'control/native',
    'control/policy',
    'control/cgroup',
    'control/kernel',
    'control/intercept',
  ],
  'study/statistics': [],
  'study/report': [],
  'study/characterize': ['model', 'trace', 'study/simulate', 'study/statistics', 'study/report'],
  'study/replay': ['model', 'trace', 'control/policy', 'study/statistics'],
  'study/simulate': ['model', 'trace', 'control/policy', 'study/statistics', 'study/report'],
  'study/simulate/fleet': ['model', 'trace', 'control/policy', 'study/simulate', 'study/statistics', 'study/report'],
  'study/evaluate': [
    'model',
    'trace',
    'control/policy',
    'control/client',
    'control/kernel',
    'study/replay',
    'study/statistics',
    'lab',
  ],
  'study/evaluate/report': ['model', 'study/evaluate', 'study/simulate', 'study/statistics', 'study/report'],
  sdk: ['model', 'control/native', 'control/client'],
  lab: ['model'],
  web: ['model'],
  cli: ['*'],
};
/** Files that belong to no room: the package's public door. */
const outside = new Set(['index.ts']);

const src = resolve(import.meta.dirname, '../src');
const rooms = Object.keys(allowed).sort((a, b) => b.length - a.length);
const roomOf = (path: string) => rooms.find((r) => path === r || path.startsWith(`${r}/`));

function imports(): { file: string; from: string; target: string }[] {
  const found = [];
  for (const entry of readdirSync(src, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(ts|tsx|js|mjs)$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    const file = relative(src, path);
    for (const m of readFileSync(path, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']*)'/g))
      found.push({ file, from: roomOf(dirname(file)) ?? '', target: relative(src, resolve(dirname(path), m[1]!)) });
  }
  return found;
}

test('every source file stands in a known room', () => {
  const homeless = readdirSync(src, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => relative(src, join(e.parentPath, e.name)))
    .filter((f) => !outside.has(f) && !roomOf(dirname(f)));
  expect(homeless).toEqual([]);
});

test('imports between rooms go through doors and follow the allowed arrows', () => {
  const all = imports();
  expect(all.length).toBeGreaterThan(5);
  const wrong = all
    .filter(({ file }) => !outside.has(file))
    .map((i) => ({ ...i, to: roomOf(i.target.replace(/\/[^/]*$/, '')) ?? roomOf(i.target) ?? '' }))
    .filter(({ from, to }) => from !== to)
    .filter(({ from, to, target, file }) => {
      if (from === 'cli' && /^\.\.\/(package\.json)/.test(target)) return false;
      const permitted = allowed[from]?.includes('*') || allowed[from]?.includes(to);
      return !(permitted && target === `${to}/index.ts`) && file !== target;
    })
    .map(({ file, target }) => `${file} -> ${target}`);
  expect(wrong).toEqual([]);
});
