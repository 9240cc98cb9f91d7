import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  average,
  bootstrap,
  contrast,
  enoughFor,
  holm,
  median,
  permutationTest,
  proportion,
  seeded,
  tail,
} from '../../../src/study/statistics/index.ts';

const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 2, maxLength: 30 });

/** Normal deviates (Box and Muller). */
function normals(n: number, random: () => number, mean = 0): number[] {
  return Array.from(
    { length: n },
    () => mean + Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  );
}

test('an interval lies within the values, is the same every time, and moves with them', () => {
  fc.assert(
    fc.property(values, fc.integer({ min: -1000, max: 1000 }), (x, by) => {
      const found = bootstrap(x, median, { resamples: 200 });
      expect(found.low).toBeGreaterThanOrEqual(Math.min(...x));
      expect(found.high).toBeLessThanOrEqual(Math.max(...x));
      expect(found.low).toBeLessThanOrEqual(found.high);
      expect(bootstrap(x, median, { resamples: 200 })).toEqual(found);
      const moved = bootstrap(
        x.map((v) => v + by),
        median,
        { resamples: 200 },
      );
      expect(moved.low).toBeCloseTo(found.low + by, 3);
    }),
    { numRuns: 50 },
  );
});

test('a 95 % interval of 20 values holds the mean about as often as it says', () => {
  const random = seeded(7);
  let held = 0;
  for (let i = 0; i < 400; i++) {
    const { low, high } = bootstrap(normals(20, random), average, { seed: i, resamples: 400 });
    if (low <= 0 && 0 <= high) held++;
  }
  expect(held / 400).toBeGreaterThan(0.89);
  expect(held / 400).toBeLessThan(0.98);
});

test('pairs that move together leave a narrower interval than sides drawn apart', () => {
  const random = seeded(3);
  const day = normals(20, random).map((v) => 10 * v);
  const a = normals(20, random).map((v, i) => v + day[i]!);
  const b = normals(20, random).map((v, i) => v + day[i]! + 3);
  const apart = contrast(a, b, average);
  const paired = contrast(a, b, average, { paired: true });
  expect(paired.high - paired.low).toBeLessThan((apart.high - apart.low) / 3);
  expect(paired.high).toBeLessThan(0);
  expect(contrast([2, 4], [1, 2], average, { ratio: true }).value).toBe(2);
  expect(() => contrast([1], [1, 2], average, { paired: true })).toThrow(RangeError);
});

test('exact permutation tests give the known values', () => {
  // 20 arrangements of 3 and 3; only this one and its mirror are as extreme
  expect(permutationTest([1, 2, 3], [4, 5, 6])).toEqual({ p: 0.1, exact: true });
  // three runs against two, as in the paper: not even ranges that are far apart do better than this
  expect(permutationTest([70, 72, 71], [50, 51]).p).toBeCloseTo(0.1);
  // 5 pairs that all differ alike: 2 of 32 sign patterns
  expect(permutationTest([1, 2, 3, 4, 5], [2, 4, 6, 8, 10], { paired: true })).toEqual({ p: 2 / 32, exact: true });
  expect(permutationTest([1, 1], [1, 1]).p).toBe(1);
});

test('both sides may be exchanged, and drawn arrangements come near to all of them', () => {
  fc.assert(
    fc.property(values, values, (a, b) => {
      const { p } = permutationTest(a.slice(0, 6), b.slice(0, 6));
      expect(permutationTest(b.slice(0, 6), a.slice(0, 6)).p).toBeCloseTo(p, 10);
      expect(p).toBeGreaterThan(0);
      expect(p).toBeLessThanOrEqual(1);
    }),
    { numRuns: 50 },
  );
  const random = seeded(1);
  const [a, b] = [normals(16, random), normals(16, random, 0.6)];
  const drawn = permutationTest(a, b, { paired: true, seed: 5 });
  expect(drawn.exact).toBe(false);
  // the same by the normal approximation of the sum of signed differences
  const d = a.map((v, i) => v - b[i]!);
  const z = Math.abs(average(d) * 16) / Math.sqrt(d.reduce((n, v) => n + v * v, 0));
  expect(drawn.p).toBeCloseTo(2 * (1 - phi(z)), 1);
});

test('where there is no difference one test in twenty says so', () => {
  const random = seeded(11);
  let said = 0;
  for (let i = 0; i < 400; i++) if (permutationTest(normals(5, random), normals(5, random)).p <= 0.05) said++;
  expect(said / 400).toBeLessThan(0.08);
  expect(said / 400).toBeGreaterThan(0.01);
});

test("Holm's correction: known values, order kept, never smaller than what was given", () => {
  expect(holm([0.01, 0.04, 0.03, 0.005]).map((p) => Number(p.toFixed(6)))).toEqual([0.03, 0.06, 0.06, 0.02]);
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }), (ps) => {
      const found = holm(ps);
      for (const [i, p] of ps.entries()) {
        expect(found[i]!).toBeGreaterThanOrEqual(p);
        expect(found[i]!).toBeLessThanOrEqual(1);
        for (const [j, q] of ps.entries()) if (p < q) expect(found[i]!).toBeLessThanOrEqual(found[j]!);
      }
    }),
  );
});

test('proportions: published values, and sense at both ends', () => {
  // Newcombe 1998, table I, method 3
  const found = proportion(81, 263)!;
  expect(found.low).toBeCloseTo(0.2553, 4);
  expect(found.high).toBeCloseTo(0.3662, 4);
  expect(proportion(0, 20)!.high).toBeCloseTo(0.1611, 4);
  expect(proportion(20, 20)!.low).toBeCloseTo(0.8389, 4);
  expect(proportion(0, 0)).toBeNull();
});

test('a quantile is only given when there are enough values for it', () => {
  expect([0.5, 0.95, 0.99].map(enoughFor)).toEqual([5, 59, 299]);
  const many = Array.from({ length: 299 }, (_, i) => i);
  expect(tail(many.slice(1), 0.99)).toBeNull();
  expect(tail(many, 0.99)).toBeCloseTo(295.02);
  expect(tail([], 0.5)).toBeNull();
});

function phi(z: number): number {
  // Abramowitz and Stegun 26.2.17
  const t = 1 / (1 + 0.2316419 * z);
  const poly = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return 1 - (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * poly;
}
