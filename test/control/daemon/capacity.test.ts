import fc from 'fast-check';
import { expect, test } from 'vitest';
import { capacityWithin, machineLevel } from '../../../src/control/daemon/capacity.ts';

const MIB = 2 ** 20;

test('who is alone below a limit has all of it, whatever it uses', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 40), fc.nat(2 ** 40), (limit, used) => {
      expect(capacityWithin(used, [{ limit, used }])).toBe(Math.max(0, limit));
    }),
  );
});

test('the tightest level counts, less what others use in it; more use by others never gives more', () => {
  const own = { limit: 8192 * MIB, used: 1000 * MIB };
  const pod = { limit: 4096 * MIB, used: 1500 * MIB };
  expect(capacityWithin(1000 * MIB, [own, pod])).toBe(3596 * MIB);
  const machine = { limit: 16_000 * MIB, used: 14_000 * MIB };
  expect(capacityWithin(1000 * MIB, [own, pod, machine])).toBe(3000 * MIB);
  const level = fc.record({ limit: fc.nat(2 ** 40), used: fc.nat(2 ** 40) });
  fc.assert(
    fc.property(fc.array(level, { minLength: 1 }), fc.nat(2 ** 40), fc.nat(2 ** 30), (levels, used, more) => {
      const before = capacityWithin(used, levels);
      const [first, ...rest] = levels;
      expect(capacityWithin(used, [{ ...first!, used: first!.used + more }, ...rest])).toBeLessThanOrEqual(before);
      expect(before).toBeGreaterThanOrEqual(0);
    }),
  );
});

test('the machine is what it has less the reserve, half of it at least; what is available counts as unused', () => {
  const meminfo = (total: number, available: number) =>
    `MemTotal:       ${total * 1024} kB\nMemFree:          100 kB\nMemAvailable:   ${available * 1024} kB\n`;
  expect(machineLevel(meminfo(16_384, 12_000), 256 * MIB)).toEqual({ limit: 16_128 * MIB, used: 4384 * MIB });
  expect(machineLevel(meminfo(256, 200), 256 * MIB)).toEqual({ limit: 128 * MIB, used: 56 * MIB });
  expect(machineLevel('MemTotal: 1 kB\n', 0)).toBeUndefined();
});
