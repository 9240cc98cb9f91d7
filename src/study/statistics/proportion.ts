import type { Estimate } from './bootstrap.ts';
import { quantile } from './numbers.ts';

/** The 97.5th percentile of the normal distribution. */
const z = 1.959963984540054;

/** Wilson's 95 % interval of a proportion: holds for 0 of n and n of n as well. Null for n = 0. */
export function proportion(successes: number, n: number): Estimate | null {
  if (n === 0) return null;
  const p = successes / n;
  const middle = (p + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return { value: p, low: p === 0 ? 0 : Math.max(0, middle - half), high: p === 1 ? 1 : Math.min(1, middle + half) };
}

/**
 * Fewest values for which the largest is above the q-quantile with 95 % certainty (and the smallest below, for q under one
 * half): 299 for p99, 59 for p95, 5 for p50. With fewer, that quantile is only another name for the maximum.
 */
export function enoughFor(q: number): number {
  return Math.ceil(Math.log(0.05) / Math.log(Math.max(q, 1 - q)) - 1e-9);
}

/** The q-quantile; null when there are too few values for it. */
export function tail(values: readonly number[], q: number): number | null {
  return values.length < enoughFor(q) ? null : quantile(values, q);
}
