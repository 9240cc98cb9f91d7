import type { ReportBuilder } from '../report.ts';

/**
 * The items whose times rise, when a stepped wall clock has mixed them: the longest strictly rising subsequence, so that
 * one absurd time costs one item and a step back costs the overlap. Already rising input is returned as it is.
 */
export function rising<T>(items: T[], timeOf: (item: T) => number): T[] {
  let sorted = true;
  for (let i = 1; i < items.length && sorted; i++) sorted = timeOf(items[i - 1]!) < timeOf(items[i]!);
  if (sorted) return items;
  // patience sorting: tails[k] is the index of the smallest time that ends a rising run of length k + 1
  const tails: number[] = [];
  const previous = new Int32Array(items.length).fill(-1);
  for (let i = 0; i < items.length; i++) {
    const t = timeOf(items[i]!);
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (timeOf(items[tails[middle]!]!) < t) low = middle + 1;
      else high = middle;
    }
    if (low > 0) previous[i] = tails[low - 1]!;
    tails[low] = i;
  }
  const kept: T[] = [];
  for (let i = tails.at(-1) ?? -1; i >= 0; i = previous[i]!) kept.push(items[i]!);
  return kept.reverse();
}

/** Keeps the rising samples and reports the rest. */
export function inTimeOrder<T extends { t: number }>(samples: T[], where: string, report: ReportBuilder): T[] {
  const kept = rising(samples, (s) => s.t);
  const dropped = samples.length - kept.length;
  if (dropped) report.leaveOut(where, 'the clock went back or stood still between samples', dropped);
  return kept;
}
