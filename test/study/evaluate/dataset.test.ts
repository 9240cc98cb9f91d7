import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fetchDataset } from '../../../src/study/evaluate/index.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'acg-dataset-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function repository(name: string, folder: string): string {
  const path = join(dir, name);
  mkdirSync(join(path, folder), { recursive: true });
  writeFileSync(join(path, folder, 'resources.json'), '{}');
  writeFileSync(join(path, 'large'), 'not wanted');
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', path, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { stdio: 'ignore' });
  git('init', '-q');
  git('add', '-A');
  git('commit', '-qm', 'x');
  return `file://${path}`;
}

test('the data sets of a repository, and nothing else of it, are put in place', async () => {
  const out = join(dir, 'out');
  const from = repository('with', 'experiments/haiku/task/attempt_1');
  expect(await fetchDataset(from, out, () => {})).toEqual(['haiku']);
  expect(existsSync(join(out, 'haiku/task/attempt_1/resources.json'))).toBe(true);
  expect(await fetchDataset(from, out, () => {})).toEqual(['haiku']);
  expect(readdirSync(dir).sort()).toEqual(['out', 'with']);
  expect(readdirSync(out)).toEqual(['haiku']);
});

test('a repository that is not there, or holds none, is told as it is; what was there stays', async () => {
  const out = join(dir, 'out');
  await fetchDataset(repository('with', 'experiments/haiku/task/attempt_1'), out, () => {});
  await expect(fetchDataset(`file://${dir}/nobody`, out, () => {})).rejects.toThrow(/nobody: fatal: /);
  const failed = { code: 'ACG_DATASET', message: expect.stringMatching(/--dataset/) };
  await expect(fetchDataset(`file://${dir}/nobody`, out, () => {})).rejects.toMatchObject(failed);
  await expect(fetchDataset(repository('without', 'other'), out, () => {})).rejects.toMatchObject(failed);
  await expect(fetchDataset('--upload-pack=touch x', out, () => {})).rejects.toMatchObject(failed);
  expect(readdirSync(out)).toEqual(['haiku']);
});

test('a folder with anything but data sets in it is refused before anything is fetched', async () => {
  const from = repository('with', 'experiments/haiku/task/attempt_1');
  const out = join(dir, 'home');
  mkdirSync(out);
  writeFileSync(join(out, 'thesis.tex'), 'years of work');
  await expect(fetchDataset(from, out, () => {})).rejects.toMatchObject({
    code: 'ACG_USAGE',
    detail: expect.stringContaining('thesis.tex'),
  });
  expect(readdirSync(out)).toEqual(['thesis.tex']);
});
