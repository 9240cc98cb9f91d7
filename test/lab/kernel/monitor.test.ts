import { beforeAll, describe, expect, test } from 'vitest';
import { kernel, report } from './guest.ts';

const MiB = 2 ** 20;
/** The largest single charge: a huge page. */
const hugePage = 2 * MiB;

interface Sample {
  timeNs: number;
  usageBytes: number;
  sessionUsageBytes: number;
  growthBytesPerSecond: number;
  sinceNs: number;
}

describe(`the monitor on the ${kernel} kernel`, () => {
  // biome-ignore lint/suspicious/noExplicitAny: the guest's own report, taken apart below
  let r: Record<string, any>;
  beforeAll(async () => {
    // the instruction-counting clock: what takes how long does not depend on who else uses this machine
    r = await report('monitor', { swapBytes: 256 * MiB, deterministic: true });
  }, 580_000);

  /** How far the hooks' last word may be from memory.current: one charge for each run that the kernel left out, at most. */
  const slack = () => 4096 + ((r.misses.charge ?? 0) + (r.misses.uncharge ?? 0)) * hugePage;

  test('every hook is attached', () => {
    expect(r.hooks.filter((h: { on: boolean }) => !h.on)).toEqual([]);
    expect(r.hooks.length).toBeGreaterThanOrEqual(13);
  });

  test('the probe finds what the tier needs', () => {
    const rows = Object.fromEntries(
      r.capabilities.map((row: { name: string; state: string }) => [row.name, row.state]),
    );
    expect(rows).toMatchObject({
      BPF: 'yes',
      'cgroup iterator': 'yes',
      'charge hook': 'yes',
      'stall hooks': 'yes',
      'memcg kfuncs': 'yes',
      'task work': 'yes',
      'sched_ext operations': 'yes',
      memcg_bpf_ops: kernel === 'memcg-bpf' ? 'yes' : 'no',
    });
  });

  test('usage at the charge is memory.current, going up and coming down', () => {
    const { usage, current, after, currentAfter, counts } = r.growth;
    expect(Math.abs(usage.usageBytes - current)).toBeLessThanOrEqual(slack());
    expect(usage.peakBytes).toBeGreaterThanOrEqual(64 * MiB);
    expect(usage.sessionUsageBytes).toBeGreaterThan(60 * MiB);
    expect(Math.abs(after.usageBytes - currentAfter)).toBeLessThanOrEqual(slack());
    expect(after.usageBytes).toBeLessThan(16 * MiB);
    expect(counts.chargedBytes - counts.unchargedBytes).toBeLessThan(16 * MiB);
    // once per batch of 64 pages, not once per page
    expect(counts.chargedBytes / counts.charges).toBeGreaterThan(32 * 4096);
  });

  test('a burst is sampled every 10 ms or MiB, whichever comes later, and its rate is right', () => {
    const { begin, end, samples } = r.growth as { begin: number; end: number; samples: Sample[] };
    const burst = samples.filter((s) => s.timeNs >= begin && s.timeNs <= end);
    // 64 steps of 1 MiB, each with a pause of 5 ms and the emulated CPU's time for touching it
    expect(burst.length).toBeGreaterThan(20);
    for (const s of samples.slice(1)) expect(s.sinceNs).toBeGreaterThanOrEqual(10e6);
    for (const [i, s] of burst.slice(1).entries()) {
      const moved = s.usageBytes - burst[i]!.usageBytes;
      expect(Math.abs(moved)).toBeGreaterThanOrEqual(MiB);
      expect(s.growthBytesPerSecond / (moved / (s.sinceNs / 1e9))).toBeCloseTo(1, 2);
    }
    const [first, last] = [burst[0]!, burst.at(-1)!];
    const sampled = (last.usageBytes - first.usageBytes) / (last.timeNs - first.timeNs);
    const truth = (64 * MiB) / (end - begin);
    expect(sampled / truth).toBeGreaterThan(0.9);
    expect(sampled / truth).toBeLessThan(1.1);
    expect(Math.min(...samples.map((s) => s.growthBytesPerSecond))).toBeLessThan(0);
  });

  test('outside bursts there is a sample a second', () => {
    const { samples } = r.quiet as { samples: Sample[] };
    const steps = samples.slice(1).map((s, i) => ({ ...s, moved: Math.abs(s.usageBytes - samples[i]!.usageBytes) }));
    // one huge page is a burst of its own
    for (const { moved, sinceNs } of steps)
      expect(moved >= MiB || sinceNs >= 1e9, `${moved} after ${sinceNs}`).toBe(true);
    expect(steps.filter(({ moved }) => moved < MiB).length).toBeGreaterThanOrEqual(1);
  });

  test('what a cgroup inside a call is charged is the call’s', () => {
    expect(r.nested.place).toMatchObject({ kind: 'nested' });
    expect(r.nested.usage.usageBytes).toBeGreaterThan(30 * MiB);
    expect(Math.abs(r.nested.usage.usageBytes - r.nested.current)).toBeLessThanOrEqual(slack());
  });

  test('swap is not taken for memory, and reclaim counts for the task that does it', () => {
    const { before, swapped, current, usage, reclaimer } = r.swap;
    expect(swapped).toBeGreaterThan(16 * MiB);
    expect(current).toBeLessThan(before - 16 * MiB);
    expect(Math.abs(usage.usageBytes - current)).toBeLessThanOrEqual(slack());
    expect(reclaimer).toBe(0);
  });

  test('an OOM kill: its victim, its exit, its count, what was tried before', () => {
    const { signal, pid, events, exits, usage, counts, oomKill, peak } = r.oom;
    expect(signal).toBe('SIGKILL');
    expect(oomKill).toBeGreaterThan(0);
    expect(events).toEqual([expect.objectContaining({ type: 'oom', kind: 'call', pid, comm: 'perl', swapBytes: 0 })]);
    expect(events[0].anonBytes).toBeGreaterThan(40 * MiB);
    expect(events[0].anonBytes).toBeLessThanOrEqual(48 * MiB);
    expect(exits).toEqual([
      expect.objectContaining({ pid, comm: 'perl', signal: 'SIGKILL', oomKilled: true, exitCode: null }),
    ]);
    expect(usage).toMatchObject({ ooms: 1, peakProcess: { pid } });
    expect(usage.peakBytes).toBe(peak);
    expect(counts.chargeFails).toBeGreaterThan(0);
    expect(counts.reclaims).toBeGreaterThan(0);
    expect(counts.stalls).toBeGreaterThan(0);
  });

  test('waiting for memory is what PSI says it is', () => {
    const { counts, someUsec, high } = r.stall;
    expect(high).toBeGreaterThan(0);
    expect(counts.reclaimedPages).toBeGreaterThan(1024);
    // one task, so the time of "some" is its time
    expect(counts.stallNs / 1000 / someUsec).toBeGreaterThan(0.95);
    expect(counts.stallNs / 1000 / someUsec).toBeLessThan(1.05);
    expect(counts.reclaimNs).toBeLessThanOrEqual(counts.stallNs * 1.05);
  });

  test('the peak process is the largest, whichever ended last', () => {
    const { usage, pid, exits } = r.peak;
    expect(usage.peakProcess.pid).toBe(pid);
    const own = exits.find((e: { pid: number }) => e.pid === pid);
    expect(Math.abs(usage.peakProcess.rssBytes - own.peakRssBytes)).toBeLessThan(1024);
    expect(own.peakRssBytes).toBeGreaterThan(40 * MiB);
    for (const e of exits) expect(e.peakRssBytes).toBeLessThanOrEqual(own.peakRssBytes);
  });

  test('two spinning processes on one CPU wait for each other, as PSI has it', () => {
    const { counts, someUsec, exits } = r.cpu;
    const delays = exits.map((e: { runDelayNs: number }) => e.runDelayNs);
    expect(delays).toHaveLength(2);
    for (const delay of delays) expect(delay).toBeGreaterThan(0.3e9);
    expect(counts.runDelayNs).toBeGreaterThanOrEqual(delays[0] + delays[1]);
    // both may wait at once for a third: the sum is at least "some"
    expect(counts.runDelayNs / 1000 / someUsec).toBeGreaterThan(0.8);
  });

  test('what the agent starts itself arrives while it still runs', () => {
    const { main, outside } = r.adoption;
    expect(outside.map((e: { argv: string[] }) => e.argv)).toEqual(
      [1, 2, 3, 4, 5].map((i) => ['/bin/sh', '-c', `exit ${i}`]),
    );
    for (const { ppid, latencyMs } of outside) {
      expect(ppid).toBe(main);
      // 2 to 10 ms on the emulated CPU: Node's own way from the wakeup to the callback
      expect(latencyMs).toBeLessThan(50);
    }
  });

  test('a neighbour that is not ours costs no event', () => {
    expect(r.stranger).toEqual({ events: 0, known: null });
  });

  test('a storm of forks is whole, or what is missing is counted', () => {
    const { counts, seen, exits } = r.storm;
    const missed = (hook: string) => r.misses[hook] ?? 0;
    expect(counts.forks + missed('process_fork')).toBeGreaterThanOrEqual(150);
    expect(counts.exits + missed('process_exit')).toBeGreaterThanOrEqual(151);
    expect(seen.fork).toBe(counts.forks);
    expect(exits).toBe(counts.exits);
    expect(r.lost).toEqual({});
    expect(r.unknown).toBe(0);
  });

  test('calls that are gone left no trace, and unload leaves nothing', () => {
    expect(r.known).toEqual(['agent', 'root', 'session', 'tenant']);
    expect(r.status.loaded).toHaveLength(1);
    expect(r.status.loaded[0].links).toEqual(
      expect.arrayContaining(['charge', 'uncharge', 'stall_enter', 'stall_leave']),
    );
    expect(r.unload.held).toBe(0);
    expect(r.unload.after).toMatchObject({ loaded: [], shared: [] });
  });
});
