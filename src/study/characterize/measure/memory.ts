import { mean, quantile } from '../../statistics/index.ts';

/** Memory values of one session, MB, without samples taken after the container had gone; `t` in seconds. */
export interface Memory {
  t: number[];
  mb: number[];
}

/** The paper's baseline: mean of samples 1 .. n/10, the first (start-up) sample skipped. */
export function earlyMean(mb: readonly number[]): number | null {
  return mean(mb.slice(1, Math.max(2, Math.floor(mb.length / 10))));
}

/** Mean weighted with the time each value held, that is until the next sample. */
export function timeMean({ t, mb }: Memory): number | null {
  let area = 0;
  let time = 0;
  for (let i = 1; i < t.length; i++) {
    const dt = t[i]! - t[i - 1]!;
    area += mb[i - 1]! * dt;
    time += dt;
  }
  return time > 0 ? area / time : (mb[0] ?? null);
}

/** Longest run of consecutive values that are at least `floor`. */
export function longestRun(mb: readonly number[], floor: number): number {
  let longest = 0;
  let run = 0;
  for (const v of mb) {
    run = v >= floor ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}

export function indexOfMaximum(values: readonly number[]): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

export interface Burst {
  samples: number;
  /** From the first sample over the threshold to the first one below it again (or the last sample). */
  length_s: number;
  height_mb: number;
  rise_s: number;
  first: number;
  last: number;
}

/** Maximal runs of values above `threshold`; `floor` is what the height is measured from. */
export function bursts({ t, mb }: Memory, threshold: number, floor: number): Burst[] {
  const found: Burst[] = [];
  for (let i = 0; i < mb.length; i++) {
    if (mb[i]! <= threshold) continue;
    const first = i;
    let top = i;
    while (i + 1 < mb.length && mb[i + 1]! > threshold) {
      i++;
      if (mb[i]! > mb[top]!) top = i;
    }
    found.push({
      samples: i - first + 1,
      length_s: (t[i + 1] ?? t[i]!) - t[first]!,
      height_mb: mb[top]! - floor,
      rise_s: t[top]! - (t[first - 1] ?? t[first]!),
      first,
      last: i,
    });
  }
  return found;
}

/** What memory the session holds while no call runs: the median of those samples, or of all when there are none. */
export function idleLevel(mb: readonly number[], busy: readonly boolean[]): number | null {
  const quiet = mb.filter((_, i) => !busy[i]);
  return quantile(quiet.length >= 3 ? quiet : mb, 0.5);
}

/**
 * Memory to set aside at every sample if each stretch (a call, or the gap between calls) gets its own peak: a new
 * stretch starts where `stretch` changes. This is what a controller with per-call bands needs at most; with perfect
 * foresight of each call, so it is the bound and not a promise.
 */
export function bandOf(mb: readonly number[], stretch: readonly number[]): number[] {
  const band = [...mb];
  for (let first = 0; first < mb.length; ) {
    let last = first;
    let top = mb[first]!;
    while (last + 1 < mb.length && stretch[last + 1] === stretch[first]) {
      last++;
      top = Math.max(top, mb[last]!);
    }
    band.fill(top, first, last + 1);
    first = last + 1;
  }
  return band;
}

/** Value held times how long, over the whole series: MB seconds. */
export function held(t: readonly number[], mb: readonly number[]): number {
  let area = 0;
  for (let i = 1; i < t.length; i++) area += Math.max(mb[i - 1]!, mb[i]!) * (t[i]! - t[i - 1]!);
  return area;
}
