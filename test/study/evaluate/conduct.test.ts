import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withLock } from '../../../src/lab/index.ts';
import { conduct } from '../../../src/study/evaluate/index.ts';

test('in a folder in which another experiment is being made none is begun', async () => {
  const out = mkdtempSync(join(tmpdir(), 'acg-conduct-'));
  const nothing = () => {};
  const options = {
    ...{ scenarios: [], out, where: 'lab' as const, jobs: 1, deterministic: true, datasetDir: null },
    ...{ host: { command: [], version: '', runSession: async () => 0 }, workerCommand: [], command: [] },
    ...{ say: nothing, onProgress: nothing },
  };
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
