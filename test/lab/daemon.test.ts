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
  expect(found.gone).toEqual({ tenant: true, node: { max: 1024 * MiB, high: 'max', low: 0, min: 0 } });
  expect(found.again).toEqual(found.first);
  const { node, tenant, session, agent, call } = found.enforced;
  expect(tenant).toMatchObject({ max: 300 * MiB, weight: 400 });
  expect(session.max).toBe(200 * MiB);
  expect(call.max).toBeLessThanOrEqual(200 * MiB);
  // a floor is worth what all those above it are worth
  expect(agent.min).toBeGreaterThan(0);
  for (const [above, below] of [
    [session, agent],
    [tenant, session],
    [node, tenant],
  ])
    expect([above.low >= (below.low * 7) / 8, above.min >= (below.min * 7) / 8]).toEqual([true, true]);
  expect(call.low).toBeGreaterThan(64 * MiB);
  const none = { max: 'max', high: 'max', low: 0, min: 0 };
  expect(found.observed).toEqual({
    node: { ...none, max: 1024 * MiB },
    tenant: { ...none, weight: 100 },
    // what was asked for with the session itself
    session: { ...none, max: 200 * MiB },
    agent: none,
    call: none,
  });
  // 80 MiB are in use: a limit of 60 would kill at once, and is written when they are gone
  expect(found.back).toMatchObject({ tenant: { max: 'max', weight: 25 }, agent: { max: agent.max } });
  expect(found.back.agent.low).toBeGreaterThan(0);
  expect(found.back.call.max).toBeLessThanOrEqual(200 * MiB);
  expect(found.priority).toBe('low');
  expect(found.killed).toBe('session');
  expect(found.late.max).toBe(60 * MiB);
  // what an earlier daemon left is replaced by what is configured now
  expect(found.restarted).toMatchObject({
    tenant: { max: 'max', weight: 400 },
    session: { max: 200 * MiB },
    agent: { high: 'max' },
  });
  // 600 MiB for the cgroup above us, 100 of them used beside us; then no limit but the machine, and 150 MiB more used on it
  expect(found.besideOne).toBeGreaterThan(480);
  expect(found.besideOne).toBeLessThanOrEqual(505);
  expect(found.softly).toBeGreaterThan(380);
  expect(found.softly).toBeLessThanOrEqual(405);
  expect(found.unlimited).toBeGreaterThan(700);
  expect(found.unlimited - found.besideMore).toBeGreaterThan(120);
  expect(found.unlimited - found.besideMore).toBeLessThan(250);
}, 330_000);
