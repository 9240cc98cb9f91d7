import { beforeAll, describe, expect, test } from 'vitest';
import { daemonReport } from './guest.ts';
import { built, kernel, patience } from './patched.ts';

describe.skipIf(!built)(`who keeps the daemon's budgets on the ${kernel} kernel`, () => {
  // biome-ignore lint/suspicious/noExplicitAny: the guest's own report, taken apart below
  let r: Record<string, any>;
  beforeAll(async () => {
    r = await daemonReport('memory-tier', { kernel, ...patience });
  }, 2_000_000);

  const exited = (code: number) => expect.objectContaining({ code, signal: null });
  const programs = ({
    health,
  }: {
    health: { kernel: { programs: { program: string; on: boolean; why?: string }[] } };
  }) => Object.fromEntries(health.kernel.programs.map(({ program, on, why }) => [program, why ?? on]));

  test('memory: memcg-bpf needs no scheduler, and health says who keeps what', () => {
    expect(r.start).toMatchObject({ tier: 'memcg-bpf', status: 'ok', notes: [] });
    expect(programs({ health: r.start })).toEqual({
      monitor: true,
      scheduler: 'switched off (scheduler: off)',
      memory: true,
      governor: 'memcg_bpf_ops keeps the budgets (memory: memcg-bpf)',
    });
    expect(r.pinned).toEqual([expect.stringMatching(/^memory-/)]);
  });

  test("who grows into the low mark is delayed by the kernel, and the explanation has the kernel's figures", () => {
    const texts: string[] = r.greedy.explanations.map(({ text }: { text: string }) => text);
    expect(r.growerEnded, texts.join('\n')).toEqual(exited(0));
    expect(texts.filter((text) => /memcg_charged: .*held at /.test(text))).not.toEqual([]);
    expect(texts.filter((text) => /memcg_charged: \d+ holds, /.test(text))).not.toEqual([]);
    // how long that takes is the host's pace: a delay or two at least
    expect(r.greedy.throttledMs).toBeGreaterThan(50);
    expect(r.greedy.frozenMs).toBeUndefined();
    // a delayed charge is memory pressure to the kernel itself; a task that the governor holds is not
    expect(r.pressureMs).toBeGreaterThan(50);
  });

  test('memory: off leaves it to cgroup files, under a running call', () => {
    expect(r.off.health).toMatchObject({ tier: 'cgroup', status: 'ok', notes: [] });
    expect(programs(r.off)).toMatchObject({
      memory: 'not asked for (memory: off)',
      governor: 'switched off (memory: off)',
    });
    expect(r.off.pinned).toEqual([]);
    expect(r.off.high).toEqual(expect.any(Number));
  });

  test('memory: governor has the scheduler keep it, memory: memcg-bpf takes it back', () => {
    expect(r.governor.health).toMatchObject({ tier: 'sched-ext', status: 'ok', notes: [] });
    expect(programs(r.governor)).toMatchObject({ memory: 'not asked for (memory: governor)', governor: true });
    expect(r.governor.pinned).toEqual([expect.stringMatching(/^scheduler-/)]);
    expect(r.governor.high).toBe('max');
    expect(r.back.health).toMatchObject({ tier: 'memcg-bpf', status: 'ok', notes: [] });
    expect(r.back.pinned).toHaveLength(2);
    expect(r.lastingEnded).toEqual(exited(0));
  });

  test('doctor says what there is to choose', () => {
    const rows: { name: string; detail?: string }[] = r.doctor.groups.flatMap(({ rows }: { rows: [] }) => rows);
    expect(r.doctor.tier).toBe('memcg-bpf');
    expect(rows.find(({ name }) => name === 'memcg_bpf_ops')).toMatchObject({
      state: 'yes',
      detail: expect.stringContaining('memory: memcg-bpf'),
    });
  });

  test('the daemon leaves nothing, and nothing went wrong on the way', () => {
    expect(r.left).toEqual([]);
    expect(r.log).toEqual([]);
  });
});
