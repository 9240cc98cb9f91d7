import { expect, test } from 'vitest';
import { Growth } from '../../../src/control/daemon/kernel-tier/growth.ts';
import type { GrowthLimit, HeadroomGuard } from '../../../src/control/kernel/index.ts';

const budget = { rate: 5e6, burst: 2 ** 21, soft: 0, priority: 'low' } as const;

/** The governor's maps, without the kernel: the tests in the lab have that. */
function maps() {
  const rates = new Map<number, GrowthLimit>();
  const growth = new Map<number, { holds: number; heldMs: number }>();
  const guards: (HeadroomGuard | undefined)[] = [];
  const writes: string[] = [];
  return {
    rates,
    growth,
    guards,
    writes,
    limit(cgroup: number, limit: GrowthLimit) {
      writes.push(`limit ${cgroup}`);
      rates.set(cgroup, limit);
    },
    forget(cgroup: number) {
      writes.push(`forget ${cgroup}`);
      rates.delete(cgroup);
      growth.delete(cgroup);
    },
    seen(cgroup: number) {
      const seen = growth.get(cgroup);
      return seen && { ...seen, allowedBytes: 0, usageBytes: 0, overs: 0, overshootBytes: 0 };
    },
    guard: (guard: HeadroomGuard | undefined) => void guards.push(guard),
    limited: () => [...rates.keys()],
  };
}

function begin() {
  const reported: unknown[] = [];
  const governor = maps();
  const growth = new Growth((error) => reported.push(error));
  growth.use(governor, () => 212 * 2 ** 20);
  return { growth, governor, reported };
}

test('without a governor nothing is kept and nothing is said', () => {
  const growth = new Growth(() => {});
  growth.set('call a.1', () => 7, budget, true);
  expect([growth.on, growth.held('call a.1'), growth.words('call a.1', 'throttle', 1)]).toEqual([false, undefined, '']);
});

test('a budget is written when it has changed, on a line that starts afresh; another pace of a throttle goes on with the line', () => {
  const { growth, governor } = begin();
  growth.set('call a.1', () => 7, { ...budget, soft: 1e6 }, true);
  growth.set('call a.1', () => 7, budget, true);
  growth.set('call a.1', () => 7, { ...budget }, true);
  expect(governor.writes.splice(0)).toEqual(['forget 7', 'limit 7', 'forget 7', 'limit 7']);
  growth.set('call a.1', () => 7, { ...budget, rate: 1e6 }, true);
  expect(governor.writes).toEqual(['limit 7']);
  expect(governor.rates.get(7)).toEqual({ ...budget, rate: 1e6, call: true });
  growth.set('call a.1', () => 7, undefined, true);
  expect(governor.rates.size).toBe(0);
});

test('time held adds up over budgets, over a governor that left and came back, and over the daemon before', () => {
  const { growth, governor } = begin();
  governor.growth.set(7, { holds: 2, heldMs: 20 });
  growth.set('call a.1', () => 7, budget, true);
  expect(growth.held('call a.1')).toEqual({ holds: 2, heldMs: 20 });
  governor.growth.set(7, { holds: 2, heldMs: 21 });
  growth.set('call a.1', () => 7, { ...budget, rate: 1e6 }, true);
  governor.growth.set(7, { holds: 3, heldMs: 30 });
  growth.set('call a.1', () => 7, { ...budget, soft: 1e6 }, true);
  expect(growth.held('call a.1')).toEqual({ holds: 5, heldMs: 50 });
  governor.growth.set(7, { holds: 1, heldMs: 5 });
  growth.use(undefined);
  expect(growth.held('call a.1')).toEqual({ holds: 6, heldMs: 55 });
  growth.use(governor);
  growth.set('call a.1', () => 7, budget, true);
  expect(growth.held('call a.1')).toEqual({ holds: 6, heldMs: 55 });
});

test('a decision is explained with what was measured since the throttle began', () => {
  const { growth, governor } = begin();
  growth.set('call a.1', () => 7, budget, true);
  governor.growth.set(7, { holds: 2, heldMs: 20 });
  expect(growth.words('call a.1', 'throttle', 20 * 2 ** 20)).toBe('governor: grew 212 MiB/s, held at 20 MiB/s');
  governor.growth.set(7, { holds: 16, heldMs: 720 });
  expect(growth.words('call a.1', 'unthrottle')).toBe('governor: 14 holds, 700 ms');
  expect(growth.words('call b.1', 'unthrottle')).toBe('');
});

test('what an earlier daemon left for cgroups that have gone is swept', () => {
  const { growth, governor } = begin();
  governor.rates.set(99, { ...budget, call: true });
  growth.set('call a.1', () => 7, budget, true);
  expect(growth.sweep()).toBe(1);
  expect(governor.limited()).toEqual([7]);
  growth.forget('call a.1');
  expect(governor.limited()).toEqual([]);
  expect(growth.held('call a.1')).toBeUndefined();
});

test('the guard moves with its marks, not with every page of cache', () => {
  const { growth, governor } = begin();
  const guard = { limit: 2 ** 30, low: 2 ** 26, clear: 2 ** 27 };
  growth.guard(guard, () => 1);
  growth.guard({ ...guard, limit: guard.limit + 4096 }, () => 1);
  growth.guard({ ...guard, low: 2 ** 25 }, () => 1);
  growth.guard(undefined, () => 1);
  growth.guard(undefined, () => 1);
  expect(governor.guards).toEqual([{ ...guard, cgroup: 1 }, { ...guard, low: 2 ** 25, cgroup: 1 }, undefined]);
});

test('what the kernel refuses is reported, and the next change is tried', () => {
  const { growth, governor, reported } = begin();
  const { limit } = governor;
  governor.limit = () => {
    throw new Error('E2BIG');
  };
  growth.set('call a.1', () => 7, budget, true);
  expect(reported).toHaveLength(1);
  governor.limit = limit;
  growth.set('call a.1', () => 7, budget, true);
  expect(governor.rates.has(7)).toBe(true);
});
