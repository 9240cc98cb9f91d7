import { seeded } from './numbers.ts';

/** Up to so many arrangements all are tried; beyond, as many are drawn at random less one. */
const mostArrangements = 20_000;

export interface Permutation {
  /** Two-sided: how often labels set at random give a difference of means at least as large. */
  p: number;
  /** Were all arrangements tried, or a sample of them? */
  exact: boolean;
}

/**
 * Permutation test of equal means. `paired`: values i belong together and only swap sides within their pair. Exact where all
 * arrangements can be tried, else with 19,999 drawn ones and (hits + 1) / (draws + 1), which is never too small (Phipson and
 * Smyth 2010).
 */
export function permutationTest(
  a: readonly number[],
  b: readonly number[],
  options: { paired?: boolean; seed?: number } = {},
): Permutation {
  if (options.paired) {
    if (a.length !== b.length) throw new RangeError('paired values: both sides have the same number');
    return signs(
      a.map((v, i) => v - b[i]!),
      options.seed ?? 1,
    );
  }
  return labels(a, b, options.seed ?? 1);
}

/** Sums are compared with a little slack, so that equal ones stay equal whatever the order of adding. */
const slack = (values: readonly number[]) => 1e-12 * values.reduce((n, v) => n + Math.abs(v), 0);

function signs(differences: readonly number[], seed: number): Permutation {
  const n = differences.length;
  const seen = Math.abs(differences.reduce((x, d) => x + d, 0)) - slack(differences);
  const exact = 2 ** n <= mostArrangements;
  const tries = exact ? 2 ** n : mostArrangements - 1;
  const random = seeded(seed);
  let hits = 0;
  for (let t = 0; t < tries; t++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += (exact ? (t >> i) & 1 : random() < 0.5) ? differences[i]! : -differences[i]!;
    if (Math.abs(sum) >= seen) hits++;
  }
  return { p: exact ? hits / tries : (hits + 1) / (tries + 1), exact };
}

function labels(a: readonly number[], b: readonly number[], seed: number): Permutation {
  const all = [...a, ...b];
  const total = all.reduce((x, v) => x + v, 0);
  const difference = (sum: number) => Math.abs(sum / a.length - (total - sum) / b.length);
  const seen = difference(a.reduce((x, v) => x + v, 0)) - slack(all) / Math.min(a.length, b.length);
  let hits = 0;
  if (arrangements(all.length, a.length) <= mostArrangements) {
    let tries = 0;
    const choose = (from: number, left: number, sum: number): void => {
      if (left === 0) {
        tries++;
        if (difference(sum) >= seen) hits++;
        return;
      }
      for (let i = from; i <= all.length - left; i++) choose(i + 1, left - 1, sum + all[i]!);
    };
    choose(0, a.length, 0);
    return { p: hits / tries, exact: true };
  }
  const random = seeded(seed);
  const tries = mostArrangements - 1;
  for (let t = 0; t < tries; t++) {
    let sum = 0;
    // the first a.length places of a Fisher-Yates shuffle
    for (let i = 0; i < a.length; i++) {
      const j = i + Math.floor(random() * (all.length - i));
      [all[i], all[j]] = [all[j]!, all[i]!];
      sum += all[i]!;
    }
    if (difference(sum) >= seen) hits++;
  }
  return { p: (hits + 1) / (tries + 1), exact: false };
}

function arrangements(n: number, k: number): number {
  let found = 1;
  for (let i = 1; i <= Math.min(k, n - k); i++) found = (found * (n - i + 1)) / i;
  return Math.round(found);
}

/** Holm's correction: p values such that, over all of them, one in twenty is below 0.05 by chance. Same order as given. */
export function holm(ps: readonly number[]): number[] {
  const order = ps.map((_, i) => i).sort((i, j) => ps[i]! - ps[j]!);
  const found = [...ps];
  let floor = 0;
  for (const [rank, i] of order.entries()) {
    floor = Math.max(floor, Math.min(1, ps[i]! * (ps.length - rank)));
    found[i] = floor;
  }
  return found;
}
