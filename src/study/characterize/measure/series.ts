import type { SampleRecord } from '../../../model/index.ts';
import { podmanText, slicedMegabytes } from './sizes.ts';

/** Memory and CPU of one whole session over time. All lists have one entry per sample. */
export interface Series {
  /** Milliseconds since the epoch, rising. */
  t: number[];
  memoryMb: number[];
  slicedMb: number[];
  /** As recorded: a lifetime average for imported `podman stats`, null where only counters were recorded. */
  cpuRaw: (number | null)[];
  /** Per cent of one core since the sample before; null for the first sample and where nothing was recorded. */
  cpuInst: (number | null)[];
  gone: boolean[];
}

/**
 * `podman stats --no-stream` averages over the time since the container's start, which lies shortly before the first
 * sample. 0.2 s is the median of (first sample - container start) seen with the data set; an error of 0.1 s moves the
 * first interval only.
 */
const firstSampleAge_s = 0.2;

/** The series of a session from its samples; those of a single call or of the agent alone are not in it. */
export function seriesOf(samples: readonly SampleRecord[]): Series {
  const own = samples.filter((s) => s.scope === undefined || s.scope === 'session');
  return {
    t: own.map((s) => s.t),
    memoryMb: own.map((s) => s.memoryBytes / 1e6),
    slicedMb: own.map((s) => slicedMegabytes(s.memoryText ?? podmanText(s.memoryBytes))),
    cpuRaw: own.map((s) => s.cpuLifetimePercent ?? null),
    cpuInst: intervalCpu(own),
    gone: own.map((s) => s.gone === true),
  };
}

/**
 * CPU rate between samples, per cent of one core. From the cumulative counter where there is one; otherwise the lifetime
 * average c is undone: (c_i * age_i - c_(i-1) * age_(i-1)) / (age_i - age_(i-1)), not below zero. A sample taken after
 * the container had gone has no rate.
 */
export function intervalCpu(samples: readonly SampleRecord[]): (number | null)[] {
  const t0 = (samples[0]?.t ?? 0) - firstSampleAge_s * 1000;
  return samples.map((s, i) => {
    const before = samples[i - 1];
    if (!before || s.gone || before.gone || s.t <= before.t) return null;
    if (s.cpuUsec !== undefined && before.cpuUsec !== undefined)
      return Math.max(0, ((s.cpuUsec - before.cpuUsec) / ((s.t - before.t) * 1000)) * 100);
    if (s.cpuLifetimePercent === undefined || before.cpuLifetimePercent === undefined) return null;
    const work = s.cpuLifetimePercent * (s.t - t0) - before.cpuLifetimePercent * (before.t - t0);
    return Math.max(0, work / (s.t - before.t));
  });
}

/**
 * How often CPU time since the start would have to go backwards for the values to be lifetime averages, beyond what
 * rounding (0.01 %) and 30 ms of clock uncertainty explain. Near zero of thousands: they are lifetime averages.
 */
export function lifetimeAverageFalls(series: Series): number {
  const t0 = (series.t[0] ?? 0) - firstSampleAge_s * 1000;
  let falls = 0;
  for (let i = 1; i < series.t.length; i++) {
    const [a, b] = [series.cpuRaw[i - 1], series.cpuRaw[i]];
    if (a === null || b === null || a === undefined || b === undefined || series.gone[i]) continue;
    const age = series.t[i]! - t0;
    const tolerance = 0.01 * age + 30 * b;
    if (b * age < a * (series.t[i - 1]! - t0) - tolerance) falls++;
  }
  return falls;
}
