import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { cli } from './run.ts';

// a loaded machine takes its time
vi.setConfig({ testTimeout: 120_000 });

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'agentcgroup-simulate-test-'));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

const run = (...args: string[]) => cli(dir, 'simulate', ...args);

const small = ['--node-memory', '4g', '--replicates', '1', '--no-validate', '--nodes', '1', '--sessions', '6'];

test('one document with --json, the shapes kept, and the same again from them on another number of threads', async () => {
  const args = [...small, '--per-node', '4', '--arms', 'none,agentcgroup', '--placements', 'risk:agentcgroup'];
  const first = await run(...args, '--json', '--save-shapes', 'shapes.json', '--workers', '1');
  expect(first.err).toBe('');
  expect(first.status).toBe(0);
  const found = JSON.parse(first.out);
  expect(found.density.map((r: { arm: string }) => r.arm)).toEqual(['none', 'agentcgroup']);
  expect(found.fleet[0].sessions).toBe(6);
  expect(found.basis.cpus).toBeNull();
  expect(found.command).toMatch(/^agentcgroup simulate --node-memory 4g/);
  const again = JSON.parse((await run(...args, '--json', '--shapes', 'shapes.json', '--workers', '0')).out);
  expect(again.density).toEqual(found.density);
  expect(again.fleet).toEqual(found.fleet);
}, 120_000);

test.each([
  [['--arms', 'nobody'], 64, 'no arm "nobody"'],
  [['--load', 'much'], 64, '--load'],
  // nobody would ever arrive
  [['--load', '0'], 64, '--load'],
  [['--placements', 'risk'], 64, 'no arm ""'],
  [['--shapes', 'bad.json'], 78, 'bad.json'],
  [['nothing-here'], 65, 'nothing-here'],
] as const)(
  '%j ends with %i',
  async (args, status, text) => {
    await writeFile(join(dir, 'bad.json'), '{"version": 2}');
    const found = await run(...args);
    expect(found.status).toBe(status);
    expect(found.err).toContain(text);
    expect(found.out).toBe('');
  },
  60_000,
);

test('what is named twice is simulated once: the same sessions again are no more evidence', async () => {
  const args = [...small, '--no-fleet', '--json', '--workers', '0'];
  const of = async (...more: string[]) => JSON.parse((await run(...args, ...more)).out);
  const one = await of('--per-node', '3,4', '--arms', 'none');
  const two = await of('--per-node', '4,3,4', '--arms', 'none,none');
  expect(two.density).toEqual(one.density);
  expect(two.densities).toEqual(one.densities);
}, 120_000);

test('a report is written', async () => {
  const { status, out, err } = await run(
    ...small,
    '--per-node',
    '3',
    '--arms',
    'agentcgroup',
    '--no-fleet',
    '--out',
    'report',
  );
  expect(status).toBe(0);
  expect(out).toContain('By arithmetic a node of 4 GiB holds');
  expect(err).toContain(join('report', 'report.html'));
  expect(await readFile(join(dir, 'report/report.html'), 'utf8')).toContain('<svg');
}, 120_000);
