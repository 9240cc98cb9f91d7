/** Start and end, in the same unit; `start <= end`. */
export interface Interval {
  start: number;
  end: number;
}

/** The same time covered by intervals that neither overlap nor touch, in order. */
export function merge(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = [];
  for (const { start, end } of [...intervals].sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, end);
    else merged.push({ start, end });
  }
  return merged;
}

/** Length of the union: time in which at least one of them ran. */
export function covered(intervals: readonly Interval[]): number {
  return merge(intervals).reduce((sum, i) => sum + i.end - i.start, 0);
}

/** Does one of the merged intervals hold `t`, ends included? */
export function holds(merged: readonly Interval[], t: number): boolean {
  let low = 0;
  let high = merged.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (merged[middle]!.end < t) low = middle + 1;
    else high = middle;
  }
  return low < merged.length && merged[low]!.start <= t;
}

/** Index of the first value that is not below `t` in rising `times`; `times.length` when all are below. */
export function firstFrom(times: ArrayLike<number>, t: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! < t) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the first value above `t`. */
export function firstAfter(times: ArrayLike<number>, t: number): number {
  let i = firstFrom(times, t);
  while (i < times.length && times[i]! === t) i++;
  return i;
}
