import { beforeAll, describe, expect, test } from 'vitest';
import { daemonReport, kernel } from './guest.ts';

describe(`the daemon on tier sched-ext, ${kernel} kernel`, () => {
  // biome-ignore lint/suspicious/noExplicitAny: the guest's own report, taken apart below
  let r: Record<string, any>;
  beforeAll(async () => {
    r = await daemonReport('kernel-tier');
  }, 450_000);

  // a kernel with memcg_bpf_ops has one more to choose from: see daemon-memory.test.ts
  const programs = (health: { kernel: { programs: { program: string }[] } }) =>
    health.kernel.programs.filter(({ program }) => program !== 'memory');
  const exited = (code: number) => expect.objectContaining({ code, signal: null });

  test('starts with all programs loaded and says so', () => {
    expect(r.start).toMatchObject({ tier: 'sched-ext', status: 'ok', notes: [] });
    expect(programs(r.start)).toMatchObject([
      { program: 'monitor', on: true, reopened: false, hooksOff: [] },
      { program: 'scheduler', on: true, reopened: false, hooksOff: [] },
      { program: 'governor', on: true },
    ]);
    expect(r.start.kernel.scheduler).toMatchObject({ mode: 'partial', inCharge: true, exits: 0 });
  });

  test('a call is born under our scheduler with a budget in the governor', () => {
    expect(r.policies.length).toBeGreaterThan(0);
    expect(new Set(r.policies)).toEqual(new Set([7]));
    expect(r.budgets.call).toBe(true);
  });

  test('who grows into the low mark is held to a pace by the kernel, and the policy explains with its figures', () => {
    const texts: string[] = r.greedy.explanations.map(({ text }: { text: string }) => text);
    expect(r.growerEnded, texts.join('\n')).toEqual(exited(0));
    expect(texts.filter((text) => /^throttled: .*; governor: .*held at /.test(text))).not.toEqual([]);
    expect(texts.filter((text) => /governor: \d+ holds, /.test(text))).not.toEqual([]);
    // how long that takes is the host's pace: a hold or two at least
    expect(r.greedy.throttledMs).toBeGreaterThan(50);
    expect(r.greedy.frozenMs).toBeUndefined();
  });

  test('the trace has what the kernel sampled in the burst, 10 to 20 ms apart, or as long as a slow machine takes for a MiB', () => {
    const samples: [t: number, bytes: number][] = r.samples.toSorted(([a]: number[], [b]: number[]) => a! - b!);
    const steps = samples.slice(1).map(([t, bytes], i) => ({ ms: t - samples[i]![0], moved: bytes - samples[i]![1] }));
    // who polls has 100 ms between two looks at least; one huge page and the MiB that was due
    const sampled = steps.filter(({ ms, moved }) => ms < 20 || (ms < 100 && moved <= 3 * 2 ** 20));
    expect(sampled.length, JSON.stringify(steps)).toBeGreaterThan(5);
  });

  test('what an agent starts without a shell is a call milliseconds later, under our scheduler', () => {
    expect(r.adopted).toMatchObject({ via: 'adopted', state: 'running' });
    expect(r.adopted.command).toContain('/run/stray 1000');
    expect(r.adoptedPolicies).toEqual([7]);
    // of an emulated machine under load; polling takes 1 s at least
    expect(r.adoptedEvent.text).toMatch(/, \d+ ms after it was seen$/);
  });

  test('thrown out, the scheduler shows in health, cgroup files take over, and it is put in charge again', () => {
    expect(r.ejected).toMatchObject({ tier: 'cgroup', status: 'degraded' });
    expect(r.ejected.kernel.scheduler).toMatchObject({ exits: 1, exit: { error: false } });
    expect(r.ejected.kernel.scheduler.exit.reason).toContain('sysrq');
    expect(r.ejectedHigh).toEqual(expect.any(Number));
    expect(r.rearmed).toMatchObject({ tier: 'sched-ext', status: 'ok' });
    expect(r.rearmedHigh).toBe('max');
    expect(r.throughEnded).toEqual(exited(0));
  });

  test('budgets outlive the daemon, and the next one finds programs and maps', () => {
    expect(r.orphaned).toBe(true);
    expect(r.again.tier).toBe('sched-ext');
    expect(programs(r.again)).toMatchObject([{ reopened: true }, { reopened: true }, { on: true }]);
    expect(r.readopted).toBe(true);
    expect(r.survivorEnded).toEqual(exited(0));
  });

  test('taken out under a running call, cgroup files take over and the call ends as it would have', () => {
    expect(r.unloaded.held).toBe(0);
    expect(r.after).toMatchObject({ tier: 'cgroup' });
    expect(r.after.kernel.programs[0].why).toContain('bpf unload');
    expect(r.afterHigh).toEqual(expect.any(Number));
    expect(r.lastEnded).toEqual(exited(0));
  });

  test('metrics tell the same', () => {
    expect(r.metrics).toContain('agentcgroup_tier{tier="cgroup"} 1');
    expect(r.metrics).toContain('agentcgroup_scheduler_in_charge 0');
    expect(r.metrics).toMatch(/agentcgroup_calls_ended_total\{by="done"\} [1-9]/);
  });

  test('nothing went wrong on the way', () => {
    const messages = r.log.map((line: string) => JSON.parse(line).msg);
    expect(messages.filter((text: string) => !/scheduler is out|programs were taken out/.test(text))).toEqual([]);
  });
});
