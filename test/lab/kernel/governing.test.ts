import { beforeAll, describe, expect, test } from 'vitest';
import { kernel, report } from './guest.ts';

describe(`scheduler and governor from TypeScript on the ${kernel} kernel`, () => {
  // biome-ignore lint/suspicious/noExplicitAny: the guest's own report, taken apart below
  let r: Record<string, any>;
  beforeAll(async () => {
    // the instruction-counting clock: how long growth takes does not depend on who else uses this machine
    r = await report('governing', { deterministic: true });
  }, 580_000);

  const inCharge = { state: 'enabled', scheduler: 'agentcgroup' };

  test('everything but the table of the other mode is attached, pinned, and found again', () => {
    expect(r.hooks.map((hook: { name: string }) => hook.name)).toEqual(['acg_full']);
    expect(r.partial).toEqual({ state: inCharge, reopened: false });
    expect(r.again).toEqual({ state: inCharge, reopened: true });
  });

  test('it says why it was thrown out, and can be armed again', () => {
    expect(r.ejected).toMatchObject({ error: false, reason: expect.stringContaining('sysrq') });
    expect(r.rearmed).toEqual({ state: inCharge });
    expect(r.unloaded.state).toBe('disabled');
    expect(r.replaced).toEqual({ state: inCharge, reopened: false });
  });

  test('cgroups show with their weight', () => {
    expect(r.node).toMatchObject({ weight: 321, cpuWeight: 321, used: 1 });
  });

  test('a limit set here is kept there, and seen', () => {
    // 32 MiB less the 4 MiB below soft and 1 MiB of burst, at 8 MB/s
    expect(r.seconds).toBeGreaterThan(3);
    expect(r.seen.holds).toBeGreaterThan(10);
    expect(r.counts.holds).toBeGreaterThanOrEqual(r.seen.holds);
    expect(r.counts.releases.time).toBeGreaterThan(0);
    expect(r.counts.latency).toHaveLength(32);
    expect(r.headroom).toMatchObject({ trips: 0, trippedNs: 0 });
    expect(r.headroom.headroomBytes).toBeGreaterThan(0);
    expect(r.waits).toBeGreaterThan(0);
    expect(r.limited).toEqual(r.ids);
  });

  test('released, it is not held; forgotten, nothing is left', () => {
    expect(r.releasedSeconds).toBeLessThan(6);
    expect(r.forgotten.seen).toBeNull();
    expect(r.forgotten.limited).toHaveLength(1);
    expect(r.end.state).toBe('disabled');
  });
});
