import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { cgroupCapabilities } from '../../src/control/cgroup/index.ts';
import { runInLab } from '../../src/lab/index.ts';

const MiB = 2 ** 20;
const script = resolve(import.meta.dirname, 'fixtures/cgroup-checks.ts');
const enforced = { enforced: true };
const all = ['memory', 'pids', 'cpu', 'io'];

describe('limits really hold', () => {
  // biome-ignore lint/suspicious/noExplicitAny: the script's own report, taken apart by the expectations below
  let report: Record<string, any>;

  beforeAll(async () => {
    const guest = await runInLab({ argv: [process.execPath, script], timeoutMs: 480_000 });
    expect(guest.exitCode, `${guest.stderr}\n${guest.console.slice(-4000)}`).toBe(0);
    report = JSON.parse(guest.stdout.toString());
  }, 560_000);

  test('the root gets its controllers from the top down', () => {
    expect(report.root).toMatchObject({ origin: 'cgroup2 mount', enabled: all, missing: [] });
    for (const where of ['top', 'own', 'leaf']) expect(report.root[where]).toEqual(expect.arrayContaining(all));
  });

  test('the probe finds everything but what only cpusets need', () => {
    const states = Object.fromEntries(
      report.probe.map((row: { name: string; state: string }) => [row.name, row.state]),
    );
    const { 'cpuset controller': _, ...rest } = states;
    expect(Object.keys(states)).toEqual([...cgroupCapabilities]);
    expect(new Set(Object.values(rest))).toEqual(new Set(['yes']));
  });

  test('controllers and processes exclude each other, and the error says what to do', () => {
    expect(report['internal processes']).toEqual({
      busy: { code: 'ACG_CGROUP_BUSY', namesPid: true },
      after: { enabled: all, missing: [] },
      moved: 'EBUSY',
    });
  });

  test('memory.max kills, memory.oom.group kills the whole call, and the events count it', () => {
    const { written, status, heard, events, peak, exists } = report['oom with group'];
    expect(written).toEqual([enforced, enforced, enforced]);
    expect(status).toMatchObject({ code: null, signal: 'SIGKILL' });
    expect(events).toMatchObject({ oom: 1, oomGroupKill: 1 });
    expect(events.oomKill).toBeGreaterThanOrEqual(3);
    expect(heard).toBeGreaterThan(0);
    expect(peak).toBeGreaterThan(56 * MiB);
    expect(peak).toBeLessThanOrEqual(64 * MiB);
    expect(exists).toBe(false);
  });

  test('without the group only the greedy process dies', () => {
    const { status, left, events } = report['oom without group'];
    expect(status).toMatchObject({ code: 7, signal: null });
    expect(left).toBe(1);
    expect(events).toMatchObject({ oomKill: 1, oomGroupKill: 0 });
  });

  test('memory.peak remembers what is long freed', () => {
    expect(report.peak.peak).toBeGreaterThan(40 * MiB);
    expect(report.peak.current).toBeLessThan(report.peak.peak / 2);
  });

  test('a limit lowered below what is in use ends the growth', () => {
    const { grown, written, limit, events } = report['limit lowered below use'];
    expect({ grown, written, limit }).toEqual({ grown: true, written: enforced, limit: 8 * MiB });
    expect(events.oomKill).toBeGreaterThan(0);
  });

  test('reclaim takes what was asked for, and says when it could not', () => {
    const { before, file, some, after, everything, end } = report.reclaim;
    expect(file).toBeGreaterThan(16 * MiB);
    expect(some).toBe('whole');
    expect(before - after).toBeGreaterThan(7 * MiB);
    expect(everything).toBe('partial');
    expect(end).toBeLessThan(after);
  });

  test('a pressure trigger fires while memory.high holds a call back', () => {
    expect(report.pressure).toMatchObject({ armed: true, heard: true });
    expect(report.pressure.full.totalUsec).toBeGreaterThan(50_000);
    expect(report.pressure.high).toBeGreaterThan(0);
  });

  test('a frozen call does not grow, a thawed one does, and the frozen can be ended', () => {
    const { frozen, before, still, thawed, grew, exists } = report.freeze;
    expect({ frozen, thawed, grew, exists }).toEqual({ frozen: true, thawed: true, grew: true, exists: false });
    // the kernel charges ahead for each CPU, and gives back what is left, also while the call is frozen
    expect(still - before).toBeLessThan(512 * 1024);
  });

  test('pids.max refuses forks and counts them', () => {
    expect(report.pids.events.max).toBeGreaterThan(0);
    expect(report.pids.peak).toBe(5);
  });

  test('cpu.max holds', () => {
    const { written, used, stat, max, weight } = report.cpu;
    expect(written).toEqual([enforced, enforced]);
    expect({ max, weight }).toEqual({ max: { quotaUsec: 20_000, periodUsec: 100_000 }, weight: 50 });
    expect(used).toBeLessThan(0.5);
    expect(stat.throttledPeriods).toBeGreaterThan(0);
  });

  test('calls one after another, killed or with background processes, leave nothing', () => {
    expect(report['calls in a row']).toEqual({ bad: [], left: 0 });
    expect(report.left).toBe(false);
  });

  test('inside a container: a clear error, and a root of our own once its processes may be moved', () => {
    expect(report.container.busy).toMatchObject({ threw: 'ACG_CGROUP_BUSY' });
    expect(report.container.busy.message).toContain('move them into a child cgroup');
    expect(report.container.vacated).toMatchObject({ enabled: all, missing: [], limit: enforced });
    expect(report.container.vacated.init).toBeGreaterThan(0);
  });
});

test('doctor in the lab: tier sched-ext at least, and it exits 0', async () => {
  const main = resolve(import.meta.dirname, '../../bin/agentcgroup.js');
  const guest = await runInLab({ argv: [process.execPath, main, 'doctor', '--json'], timeoutMs: 480_000 });
  expect(guest.exitCode, guest.stderr.toString()).toBe(0);
  const report = JSON.parse(guest.stdout.toString());
  expect(report.able).toBe(true);
  expect(['sched-ext', 'memcg-bpf']).toContain(report.tier);
  expect(report.kernel).toBe(guest.guestKernel);
  expect(report.kernel).not.toBe(execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim());
}, 500_000);
