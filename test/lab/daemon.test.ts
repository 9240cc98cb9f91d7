import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { runInLab } from '../../src/lab/index.ts';

const fixture = (name: string) => resolve(import.meta.dirname, 'fixtures', name);

/** An emulated guest makes one to two calls a second: 50 here, AGENTCGROUP_LAB_CALLS=500 for the whole proof. */
const calls = Number(process.env.AGENTCGROUP_LAB_CALLS ?? 50);

test(
  `${calls} calls, a tenth OOM-killed, a tenth killed by signals, some with background processes, leave nothing behind`,
  async () => {
    const { stdout, stderr, exitCode } = await runInLab({
      argv: [process.execPath, fixture('daemon-soak.ts'), String(calls)],
      timeoutMs: 300_000 + calls * 2000,
    });
    expect(exitCode, stderr.toString()).toBe(0);
    const found = JSON.parse(stdout.toString());
    const share = (of50: number) => (of50 * calls) / 50;
    expect(found.result.stderr).toBe('');
    const statuses = { 0: share(39), 9: share(1), 137: share(8), 143: share(2) };
    expect(JSON.parse(found.result.stdout)).toEqual({ statuses, noted: share(5) });
    expect(found).toMatchObject({
      cgroups: [],
      runDir: ['api.sock', 'sessions', 'shim.sock'],
      calls,
      oomKilled: share(5),
      oomFeedback: share(5),
      signalled: share(5),
      background: share(2),
      agentOomKilled: false,
      log: [],
    });
    expect(found.processesAdded).toBeLessThanOrEqual(0);
  },
  330_000 + calls * 2000,
);

test('limits are in the files of who is there, and of nobody who is not under enforcement any more', async () => {
  const { stdout, stderr, exitCode } = await runInLab({
    argv: [process.execPath, fixture('daemon-limits.ts')],
    timeoutMs: 300_000,
  });
  expect(exitCode, stderr.toString()).toBe(0);
  const found = JSON.parse(stdout.toString());
  const MiB = 2 ** 20;
  expect(found.first).toMatchObject({ max: 300 * MiB, low: 32 * MiB });
  // the tenant's cgroup went with its last session, and the limits come with the next one
  expect(found.gone).toBe(true);
  expect(found.again).toEqual(found.first);
  expect(found.enforced).toMatchObject({ tenant: { max: 300 * MiB, weight: 400 }, session: { max: 200 * MiB } });
  expect(found.enforced.call.max).toBeLessThanOrEqual(200 * MiB);
  const none = { max: 'max', high: 'max', low: 0 };
  expect(found.observed).toEqual({
    tenant: { ...none, weight: 100 },
    // what was asked for with the session itself
    session: { ...none, max: 200 * MiB },
    agent: none,
    call: none,
  });
  expect(found.back).toMatchObject({ tenant: { max: 300 * MiB, weight: 25 }, agent: found.enforced.agent });
  expect(found.back.call.max).toBeLessThanOrEqual(200 * MiB);
  expect(found.priority).toBe('low');
  // what an earlier daemon left is replaced by what is configured now
  expect(found.restarted).toMatchObject({
    tenant: { max: 'max', weight: 400 },
    session: { max: 200 * MiB },
    agent: { high: 'max' },
  });
}, 330_000);
