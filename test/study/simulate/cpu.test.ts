import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cpuShares } from '../../../src/study/simulate/cpu.ts';
import type { SimCall } from '../../../src/study/simulate/index.ts';

const call = (cpus: number, cpuWeight = 100) =>
  ({ spec: { cpus, demand: [] }, cpuWeight, group: { frozen: false, stalledUntil: 0 } }) as unknown as SimCall;
const used = (calls: SimCall[], shares: Map<SimCall, number>) =>
  calls.reduce((n, c) => n + (c.spec.cpus ?? 1) * (shares.get(c) ?? 1), 0);

test('no more CPU is given than there is, and none is left while somebody wants it', () => {
  // each round one of them has enough, and the next one's part is a little larger
  const slow = [0.1, 0.17, 0.181, 0.1828, 0.18305, 1].map((cpus) => call(cpus));
  expect(used(slow, cpuShares(slow, 1, 0))).toBeCloseTo(1);
  const need = fc.tuple(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 1000 }));
  fc.assert(
    fc.property(fc.array(need, { minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 8 }), (needs, cpus) => {
      const calls = needs.map(([cent, weight]) => call(cent / 100, weight));
      const wanted = calls.reduce((n, c) => n + c.spec.cpus!, 0);
      expect(used(calls, cpuShares(calls, cpus, 0))).toBeCloseTo(Math.min(cpus, wanted), 6);
    }),
  );
});
