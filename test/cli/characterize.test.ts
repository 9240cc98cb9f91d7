import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cli } from './run.ts';

let dir: string;
let trace: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'agentcgroup-cli-test-'));
  trace = join(dir, 'one.ndjson');
  const t0 = 1_770_000_000_000;
  const records = [
    { type: 'session', version: 1, session: 's', tenant: 'x', source: 'record', start: t0, end: t0 + 20_000 },
    ...Array.from({ length: 21 }, (_, i) => ({
      type: 'sample',
      session: 's',
      t: t0 + i * 1000,
      memoryBytes: i === 10 ? 900e6 : 100e6,
    })),
  ];
  await writeFile(trace, records.map((r) => `${JSON.stringify(r)}\n`).join(''));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

const run = (...args: string[]) => cli(dir, 'characterize', ...args);

test('--json prints one document, sets are named by NAME=PATH, and no temporary file stays', async () => {
  const { status, out } = await run(`mine=${trace}`, '--json', '--node-memory', '9g');
  expect(status).toBe(0);
  const study = JSON.parse(out);
  expect(study.findings['mem.p2a'].sound.mine.peak).toBe(900);
  expect(study.nodeBytes).toBe(9 * 2 ** 30);
  expect(study.tasks).toHaveLength(1);
  expect((await readdir(dir)).filter((f) => f.startsWith('agentcgroup-study'))).toEqual([]);
}, 90_000);

test.each([
  [['--json'], 64, 'no traces given'],
  [['trace'], 64, '--out DIR'],
  [['trace', '--json', '--seed', '-1'], 64, '--seed'],
  [['trace', '--json', '--compare', 'a', 'b'], 64, 'no set "a"'],
  [['trace', '--json', '--min-samples', '100'], 65, 'ACG_TRACE_EMPTY'],
  [['nothing-here', '--json'], 65, 'ACG_TRACE'],
] as const)(
  '%j ends with %i',
  async (args, status, text) => {
    const done = await run(...args.map((a) => (a === 'trace' ? trace : a)));
    expect(done.status).toBe(status);
    expect(done.err).toContain(text);
    expect(done.out).toBe('');
  },
  90_000,
);
