import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withLock } from '../../../src/lab/index.ts';
import { conduct } from '../../../src/study/evaluate/index.ts';
import { madeRun } from './report/runs.ts';

const nothing = () => {};
const nothingToDo = (out: string) => ({
  ...{ scenarios: [], out, where: 'lab' as const, jobs: 1, deterministic: true, datasetDir: null },
  ...{
    host: { command: [], version: '', program: 'sources' as const, runSession: async () => 0 },
    workerCommand: [],
    command: [],
  },
  ...{ say: nothing, onProgress: nothing },
});

test('in a folder in which another experiment is being made none is begun', async () => {
  const out = mkdtempSync(join(tmpdir(), 'acg-conduct-'));
  const options = nothingToDo(out);
  try {
    await withLock(join(out, '.lock'), () =>
      expect(conduct(options)).rejects.toMatchObject({
        code: 'ACG_EVALUATE_RUNNING',
        message: expect.stringContaining(out),
      }),
    );
    expect(await conduct(options)).toEqual([]);
  } finally {
    rmSync(out, { recursive: true });
  }
});

test('a line that a crash has torn is taken off before runs are added: the next one would become part of it', async () => {
  const out = mkdtempSync(join(tmpdir(), 'acg-conduct-'));
  const raw = join(out, 'runs.ndjson');
  const whole = `${JSON.stringify(madeRun('none', 0, { highMs: 1, lowMs: 1, growthMs: 1 }))}\n`;
  try {
    writeFileSync(raw, `${whole}{"version":1,"scen`);
    await conduct(nothingToDo(out));
    expect(readFileSync(raw, 'utf8')).toBe(whole);
  } finally {
    rmSync(out, { recursive: true });
  }
});

test('what guests had finished when all was interrupted is kept, also where the scenario has changed since the runs before', async () => {
  const out = mkdtempSync(join(tmpdir(), 'acg-conduct-'));
  const run = (scenarioHash: string) => ({ ...madeRun('none', 0, { highMs: 1, lowMs: 1, growthMs: 1 }), scenarioHash });
  const text = (...hashes: string[]) => hashes.map((hash) => `${JSON.stringify(run(hash))}\n`).join('');
  try {
    writeFileSync(join(out, 'runs.ndjson'), text('old'));
    mkdirSync(join(out, '.guest-0'));
    writeFileSync(join(out, '.guest-0', 'runs.ndjson'), text('old', 'new'));
    await conduct(nothingToDo(out));
    const hashes = readFileSync(join(out, 'runs.ndjson'), 'utf8').match(/"scenarioHash":"\w+"/g);
    expect(hashes).toEqual(['"scenarioHash":"old"', '"scenarioHash":"new"']);
  } finally {
    rmSync(out, { recursive: true });
  }
});
