import fc from 'fast-check';
import { expect, test } from 'vitest';
import { verdict } from '../../../src/control/doctor/verdict.ts';
import type { Capability } from '../../../src/model/index.ts';

const all = [
  ...['cgroup2', 'delegation', 'cgroup.freeze', 'native addon', 'born inside', 'Node.js'],
  ...[
    'memory controller',
    'pids controller',
    'cpu controller',
    'io controller',
    'memory.reclaim',
    'PSI trigger',
    'xattr',
  ],
  ...['mount namespace', 'sched_ext', 'memcg hooks', 'BPF', 'BTF', 'memcg_bpf_ops'],
];
const rows = (but: Record<string, Capability['state']> = {}): Capability[] =>
  all.map((name) => ({ name, state: but[name] ?? 'yes' }));

test('tiers', () => {
  expect(verdict(rows())).toMatchObject({ able: true, tier: 'memcg-bpf' });
  expect(verdict(rows({ memcg_bpf_ops: 'no' })).tier).toBe('sched-ext');
  expect(verdict(rows({ memcg_bpf_ops: 'no', sched_ext: 'no' })).tier).toBe('cgroup');
  expect(verdict(rows({ BPF: 'no' })).tier).toBe('cgroup');
  expect(verdict(rows({ BPF: 'unknown' })).tier).toBe('memcg-bpf');
  expect(verdict(rows({ 'memory controller': 'no' })).tier).toBe('cgroup');
});

test('what is missing is said', () => {
  const { able, summary } = verdict(rows({ delegation: 'no' }));
  expect(able).toBe(false);
  expect(summary).toContain('cannot work here, for want of: delegation.');
  expect(verdict(rows({ 'born inside': 'unknown' })).summary).toMatch(/^could not tell .*born inside/);
  expect(verdict(rows({ 'memory controller': 'no' })).summary).toMatch(/cannot limit and measure the memory of a call/);
  expect(verdict(rows({ BPF: 'unknown' })).summary).toMatch(/could not tell whether it can throttle/);
  expect(verdict([]).able).toBe(false);
});

test('a better machine is never judged worse', () => {
  const order = ['cgroup', 'sched-ext', 'memcg-bpf'];
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom(...all), fc.constantFrom('yes' as const, 'no' as const, 'unknown' as const)),
      fc.constantFrom(...all),
      (states, better) => {
        const before = verdict(rows(states));
        const after = verdict(rows({ ...states, [better]: 'yes' }));
        expect(order.indexOf(after.tier)).toBeGreaterThanOrEqual(order.indexOf(before.tier));
        if (before.able) expect(after.able).toBe(true);
      },
    ),
  );
});
