import { beforeAll, describe, expect, test } from 'vitest';
import { daemonReport, kernel } from './guest.ts';

describe(`the daemon when its tier changes, ${kernel} kernel`, () => {
  // biome-ignore lint/suspicious/noExplicitAny: the guest's own report, taken apart below
  let r: Record<string, any>;
  beforeAll(async () => {
    r = await daemonReport('kernel-trouble');
  }, 450_000);

  const files = { tier: 'cgroup', high: expect.any(Number), schedExt: 'disabled' };
  const programs = { tier: 'sched-ext', high: 'max', schedExt: 'enabled', policies: [7] };

  test('the configuration switches it, either way, and what runs changes hands', () => {
    expect(r.files).toEqual({ ...files, policies: [0] });
    expect(r.programs).toEqual(programs);
    expect(r.budget).toBe(true);
    expect(r.filesAgain).toMatchObject(files);
    expect(r.throughEnded).toMatchObject({ code: 0, signal: null });
    expect(r.throughCall).toMatchObject({ exitCode: 0 });
  });

  test('a command that was started after the calls had changed hands, by a shim that was answered before, is found a moment later', () => {
    expect(r.late).toEqual({ born: [0], found: [7] });
  });

  test('a daemon with the programs takes over from one without, and what runs changes hands', () => {
    expect(r.before).toMatchObject({ policies: [0], high: expect.any(Number) });
    expect(r.after).toEqual(programs);
    expect(r.keptEnded).toMatchObject({ code: 0, signal: null });
  });

  test('events that found the ring full are counted and shown, and the call is none the worse for it', () => {
    expect(r.lost.fork).toBeGreaterThan(50);
    expect(r.lost.exit).toBeGreaterThan(50);
    expect(r.lostMetrics).toContain(`agentcgroup_events_lost_total{type="fork"} ${r.lost.fork}`);
    expect(r.status).toMatch(/^events lost, the ring was full: .*\d+ fork/m);
    expect(r.stormEnded).toMatchObject({ code: 0, signal: null });
    expect(r.stormed).toMatchObject({ state: 'ended', exitCode: 0 });
  });

  test('thrown out by the watchdog: said in health and metrics, cgroup files take over, the call goes on', () => {
    expect(r.watchdogs).toBeGreaterThan(0);
    expect(r.ejected).toMatchObject({ tier: 'cgroup', status: 'degraded' });
    const { exit } = r.ejected.kernel.scheduler;
    expect(exit).toMatchObject({ error: true, reason: 'runnable task stall' });
    expect(exit.message).toContain('failed to run');
    expect(r.ejected.notes.join()).toContain('runnable task stall');
    expect(r.ejectedState).toMatchObject({ high: expect.any(Number) });
    expect(r.ejectedMetrics).toMatch(/^agentcgroup_scheduler_exits_total [2-4]$/m);
    expect(r.ejectedMetrics).toContain('agentcgroup_scheduler_in_charge 0');
    expect(r.starvingEnded).toMatchObject({ code: 5, signal: null });
  });

  test('it is put in charge again after one second, and after two the next time', () => {
    const out = r.log.filter(({ msg }: { msg: string }) => msg.startsWith('the scheduler is out'));
    expect(out.slice(0, 2).map(({ rearmInMs }: { rearmInMs: number }) => rearmInMs)).toEqual([1000, 2000]);
    expect(r.rearmed).toMatchObject({ tier: 'sched-ext', status: 'ok' });
    expect(r.rearmedState).toMatchObject({ high: 'max', schedExt: 'enabled' });
    const others = r.log.filter((line: { msg: string }) => !out.includes(line));
    expect(others).toEqual([]);
  });
});
