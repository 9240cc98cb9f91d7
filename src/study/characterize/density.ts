import { quantile, seeded } from '../statistics/index.ts';
import type { Course } from './measure/course.ts';

/**
 * How many sessions fit on a node. Sessions are drawn from the traces at random (with replacement) and run side by side,
 * each from a random point of its course and over again when it ends, until one more would not fit. Repeated; the median
 * and the 5th and 95th percentile over the trials are given. Nothing is delayed, reclaimed or refused: it is what an
 * admission that knows the future could reach, the same for all three rules, so their ratio is what counts.
 */
export interface Density {
  set: string;
  nodeMb: number;
  trials: number;
  /** Each session is given its own peak for all its time. */
  peak: Range;
  /** Each call, and each gap between calls, is given its own peak. */
  band: Range;
  /** What is in use fits at every second. */
  use: Range;
  /** What is in use fits in 99 % of the seconds: the rest is for reclaim, throttling and freezing to bridge. */
  use99: Range;
  /** Mean CPU of as many sessions as `use` has, in cores; null when CPU was not recorded. */
  cores: number | null;
}

export interface Range {
  median: number;
  p5: number;
  p95: number;
}

export interface DensityOptions {
  nodeMb: number;
  seed: number;
  trials?: number;
  /** Seconds simulated. */
  horizon?: number;
}

interface Grid {
  use: Float32Array;
  band: Float32Array;
  peak: number;
  cpu: number | null;
}

/** Sessions on a node: beyond this many the node is not what limits. */
const most = 20_000;

export function density(set: string, courses: readonly Course[], options: DensityOptions): Density | null {
  const { nodeMb, seed, trials = 40, horizon = 600 } = options;
  const grids = courses.map(gridOf).filter((g) => g.use.length > 1 && g.peak > 0);
  if (!grids.length) return null;
  const random = seeded(seed);
  const counts = { peak: [] as number[], band: [] as number[], use: [] as number[], use99: [] as number[] };
  for (let trial = 0; trial < trials; trial++) {
    const fit = fill(grids, nodeMb, horizon, random);
    counts.peak.push(fit.peak);
    counts.band.push(fit.band);
    counts.use.push(fit.use);
    counts.use99.push(fit.use99);
  }
  const rates = grids.flatMap((g) => (g.cpu === null ? [] : [g.cpu]));
  const use = range(counts.use);
  return {
    set,
    nodeMb,
    trials,
    peak: range(counts.peak),
    band: range(counts.band),
    use,
    use99: range(counts.use99),
    cores: rates.length ? (use.median * rates.reduce((a, b) => a + b, 0)) / rates.length / 100 : null,
  };
}

/** Adds sessions until each rule has been broken; how many each could hold. */
function fill(grids: readonly Grid[], nodeMb: number, horizon: number, random: () => number) {
  const use = new Float64Array(horizon);
  const band = new Float64Array(horizon);
  let peaks = 0;
  const fit = { peak: -1, band: -1, use: -1, use99: -1 };
  for (let n = 0; n < most; n++) {
    const grid = grids[Math.floor(random() * grids.length)]!;
    const offset = Math.floor(random() * grid.use.length);
    peaks += grid.peak;
    let overUse = 0;
    let overBand = false;
    for (let s = 0, at = offset; s < horizon; s++, at = at + 1 === grid.use.length ? 0 : at + 1) {
      use[s]! += grid.use[at]!;
      band[s]! += grid.band[at]!;
      if (use[s]! > nodeMb) overUse++;
      if (band[s]! > nodeMb) overBand = true;
    }
    if (fit.peak < 0 && peaks > nodeMb) fit.peak = n;
    if (fit.band < 0 && overBand) fit.band = n;
    if (fit.use < 0 && overUse > 0) fit.use = n;
    if (fit.use99 < 0 && overUse > 0.01 * horizon) fit.use99 = n;
    if (fit.use99 >= 0 && fit.peak >= 0 && fit.band >= 0) break;
  }
  return { peak: orMost(fit.peak), band: orMost(fit.band), use: orMost(fit.use), use99: orMost(fit.use99) };
}

const orMost = (n: number) => (n < 0 ? most : n);

const range = (values: number[]): Range => ({
  median: quantile(values, 0.5)!,
  p5: quantile(values, 0.05)!,
  p95: quantile(values, 0.95)!,
});

/** A course at every full second; a value holds until the next sample. */
function gridOf(course: Course): Grid {
  const seconds = Math.min(6 * 3600, Math.max(1, Math.floor(course.t.at(-1) ?? 0)));
  const use = new Float32Array(seconds);
  const band = new Float32Array(seconds);
  for (let s = 0, i = 0; s < seconds; s++) {
    while (i + 1 < course.t.length && course.t[i + 1]! <= s) i++;
    use[s] = course.mb[i]!;
    band[s] = course.band[i]!;
  }
  const rates = course.cpu.filter((c) => c !== null);
  return {
    use,
    band,
    peak: course.mb.reduce((a, b) => Math.max(a, b), 0),
    cpu: rates.length ? rates.reduce((a, b) => a + b, 0) / rates.length : null,
  };
}
