import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { runInLab } from '../../src/lab/index.ts';

const fixture = (name: string) => resolve(import.meta.dirname, 'fixtures', name);

test('500 calls, 50 OOM-killed, 50 killed by signals, 20 with background processes, leave nothing behind', async () => {
  const { stdout, stderr, exitCode } = await runInLab({
    argv: [process.execPath, fixture('daemon-soak.ts')],
    timeoutMs: 540_000,
  });
  expect(exitCode, stderr.toString()).toBe(0);
  const found = JSON.parse(stdout.toString());
  expect(found.result.stderr).toBe('');
  expect(JSON.parse(found.result.stdout)).toEqual({ statuses: { 0: 390, 9: 10, 137: 80, 143: 20 }, noted: 50 });
  expect(found).toMatchObject({
    cgroups: [],
    runDir: ['api.sock', 'sessions', 'shim.sock'],
    calls: 500,
    oomKilled: 50,
    oomFeedback: 50,
    signalled: 50,
    background: 20,
    agentOomKilled: false,
    log: [],
  });
  expect(found.processesAdded).toBeLessThanOrEqual(0);
}, 600_000);
