import { beforeAll, describe, expect, test } from 'vitest';
import { measure } from './measured.ts';

type Measured = Awaited<ReturnType<typeof measure>>;

const off = (value: number, expected: number) => (Math.abs(value - expected) / expected) * 100;

describe('rates and bands', () => {
  let seen: Measured;
  beforeAll(async () => {
    seen = await measure('governor', [
      'rates',
      'update',
      'levels',
      'agent',
      'graded',
      'ceiling',
      'guard',
      'reused',
      'forks',
      'crowd',
      'patience',
    ]);
  }, 580_000);

  test.each([
    { target: 20, huge: 0 },
    { target: 20, huge: 1 },
    { target: 100, huge: 0 },
    { target: 100, huge: 1 },
  ])('$target MB/s is held within 10 %, huge pages: $huge', ({ target, huge }) => {
    const found = seen.all('rate').find((r) => r.target === target && r.huge === huge)!;
    expect(found).toMatchObject({ status: 0, fails: 0, not_parked: 0 });
    expect(off(found.rate!, target)).toBeLessThan(10);
    // two batches of 64 pages, or two huge pages, in KiB
    expect(found.overshoot).toBeLessThanOrEqual(huge ? 2 * 2048 : 2 * 256);
  });

  test('a rate changed while the call runs is in force at once', () => {
    expect(off(seen.first('update').slow!, 4)).toBeLessThan(15);
    expect(off(seen.first('update').fast!, 40)).toBeLessThan(15);
  });

  test('calls of one session share its budget', () => {
    expect(off(seen.first('levels').session!, 20)).toBeLessThan(10);
  });

  test('an agent leaf is never held', () => {
    expect(seen.first('agent')).toEqual({ status: 0, holds: 0, overs: 0 });
  });

  test('below the soft limit nobody is held; above it, lower priority grows slower', () => {
    expect(seen.first('soft').at).toBeGreaterThan(16);
    const { high, normal, low } = seen.first('graded') as { high: number; normal: number; low: number };
    expect(off(high, 10)).toBeLessThan(15);
    expect(normal).toBeLessThan(0.8 * high);
    expect(low).toBeLessThan(0.95 * normal);
  });

  test('near its hard ceiling growth slows down, whatever its rate', () => {
    // at that rate it would be there in 32 ms
    expect(seen.first('ceiling').pace).toBeGreaterThan(0.7);
  });

  test('when headroom runs out, calls of low priority stop and others go on; they resume when it is back', () => {
    const { low_at, low_grown, high_grown, trips, tripped, events, last } = seen.first('guard');
    expect({ trips, tripped, events, last }).toEqual({ trips: 1, tripped: 1, events: 1, last: 1 });
    expect(low_at).toBeLessThan(96);
    expect(low_grown).toBeLessThanOrEqual(0);
    expect(off(high_grown!, 15)).toBeLessThan(20);
    expect(seen.first('guard-clear').resumed).toBeGreaterThan(20);
    expect(seen.first('guard-clear')).toMatchObject({ events: 2, last: 0 });
  });

  test('with no daemon to decide, the guard lets growth trickle after 10 seconds', () => {
    const { before, after } = seen.first('guard-alone') as { before: number; after: number };
    expect(before).toBeLessThanOrEqual(0);
    // five threads, a batch of 64 pages each 0.8 s, for 3.2 s
    expect(after).toBeGreaterThan(5 * 0.26);
    expect(after).toBeLessThan(5 * 5 * 0.27);
  });

  test('a limit ends with its key, not with its cgroup, and the next one starts afresh', () => {
    const { limited, free, again } = seen.first('reused') as { limited: number; free: number; again: number };
    expect(off(limited, 3.35)).toBeLessThan(10);
    expect(free).toBeLessThan(limited / 5);
    expect(off(again, 3.35)).toBeLessThan(10);
  });

  test('forking does not get around a budget', () => {
    expect(off(seen.first('forks').rate!, 5)).toBeLessThan(10);
    expect(seen.first('forks').processes).toBeGreaterThan(20);
    expect(seen.first('forks-gone')).toEqual({ left: 0, exists: 0 });
  });

  test('nobody waits for more than 10 seconds on account of one charge, whatever it owes', () => {
    const { status, first, second, owed } = seen.first('patience');
    expect(status).toBe(0);
    expect(owed).toBeGreaterThan(20);
    for (const waited of [first, second]) {
      expect(waited).toBeGreaterThan(9.9);
      expect(waited).toBeLessThan(11);
    }
  });

  test('64 calls with 8 threads each: all end, all are removed, none is left held', () => {
    expect(seen.first('crowd')).toMatchObject({ ended: 64, removed: 64, left: 0, enabled: 1, fails: 0, not_parked: 0 });
    expect(seen.first('crowd').holds).toBeGreaterThan(500);
  });
});

describe('whoever is held can be reached', () => {
  let seen: Measured;
  beforeAll(async () => {
    seen = await measure('governor', [
      'killed',
      'frozen',
      'exiting',
      'signalled',
      'oom',
      'offline',
      'unloaded',
      'detached',
      'orphaned',
      'rearmed',
    ]);
  }, 580_000);

  test('SIGKILL ends a held task at once, and its cgroup can be removed', () => {
    const { held, removed, left, by_kill, took_ms } = seen.first('killed');
    expect({ held, removed, left }).toEqual({ held: 8, removed: 8, left: 0 });
    // one of them may just be between two holds
    expect(by_kill).toBeGreaterThanOrEqual(7);
    expect(took_ms).toBeLessThan(25);
  });

  test('a held task freezes at once, and goes on when its budget is suspended', () => {
    const { froze, ended, left, took_ms, asked_ms, by_freeze, by_flag } = seen.first('frozen');
    expect({ froze, ended, left }).toEqual({ froze: 6, ended: 6, left: 0 });
    expect(took_ms).toBeLessThan(10);
    expect(asked_ms).toBeLessThan(25);
    // one of them may just be on its way when it is asked
    expect(by_freeze).toBeGreaterThanOrEqual(5);
    expect(by_flag).toBeGreaterThanOrEqual(4);
  });

  test('exit_group by one thread ends the held others', () => {
    expect(seen.first('exiting')).toMatchObject({ status: 7 << 8, left: 0 });
    expect(seen.first('exiting').took_ms).toBeLessThan(25);
  });

  test('a signal with a handler is delivered', () => {
    expect(seen.first('signalled').heard).toBe(5);
    expect(seen.first('signalled').took_ms).toBeLessThan(20);
  });

  test('the OOM killer ends a held call', () => {
    expect(seen.first('oom')).toMatchObject({ status: 9, left: 0 });
    expect(seen.first('oom').took_ms).toBeLessThan(1000);
  });

  test('other programs can be taken out of the kernel meanwhile', () => {
    const { held, free_ms, held_ms } = seen.first('detached') as { held: number; free_ms: number; held_ms: number };
    expect(held).toBe(1);
    expect(held_ms).toBeLessThan(free_ms + 100);
  });

  test('its CPU may go away', () => {
    expect(seen.first('offline')).toMatchObject({ status: 9, enabled: 1, left: 0 });
    expect(seen.first('offline').took_ms).toBeLessThan(1000);
    expect(seen.first('offline').grown).toBeLessThan(3);
  });

  test('unloaded, everybody goes on', () => {
    expect(seen.first('unloaded').status).toBe(0);
    expect(seen.first('unloaded').seconds).toBeLessThan(5);
  });

  test('armed again, it holds as before: who had not got out of a callback is counted once, a CPU that came back is one of them', () => {
    const { enabled, left, busy, back } = seen.first('rearmed');
    expect({ enabled, left }).toEqual({ enabled: 1, left: 0 });
    expect(off(busy!, 8)).toBeLessThan(15);
    expect(off(back!, 8)).toBeLessThan(15);
  });

  test('when the daemon dies rates stay, held tasks are released on time, and the next daemon can lift them', () => {
    expect(seen.first('orphaned').enabled).toBe(1);
    expect(seen.first('orphaned').ready).toBeGreaterThan(0);
    expect(off(seen.first('orphaned').rate!, 8)).toBeLessThan(15);
    expect(seen.first('orphaned').freed).toBeGreaterThan(40);
  });
});
