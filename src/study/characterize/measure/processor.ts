import type { SampleRecord } from '../../../model/index.ts';
import { mean, pearson } from '../../statistics/index.ts';
import type { TaskRow } from '../tables.ts';
import { lifetimeAverageFalls, type Series } from './series.ts';

/** The processor columns of a session's row. */
export type ProcessorColumns = Pick<
  TaskRow,
  'cpu_avg' | 'cpu_max' | 'cpu_s' | 'cpu_mean' | 'cpu_inst_max' | 'cpu_falls' | 'cpu_mem_raw_r' | 'cpu_mem_r'
>;

export function processorOf(samples: readonly SampleRecord[], series: Series, sampled_s: number): ProcessorColumns {
  const raw = series.cpuRaw.filter((c) => c !== null);
  const pairsRaw = series.t.map((_, i) => i).filter((i) => series.cpuRaw[i] !== null);
  const pairs = series.t.map((_, i) => i).filter((i) => series.cpuInst[i] !== null && !series.gone[i]);
  let cpu_s = 0;
  let known_s = 0;
  for (const i of pairs) {
    const dt = (series.t[i]! - series.t[i - 1]!) / 1000;
    cpu_s += (series.cpuInst[i]! / 100) * dt;
    known_s += dt;
  }
  // The last lifetime average knows all the work since the container's start, so nothing of the first interval is lost.
  const lastLife = samples.findLast((s) => s.cpuLifetimePercent !== undefined && !s.gone)?.cpuLifetimePercent;
  const rate = lastLife ?? (known_s > 0 ? (100 * cpu_s) / known_s : null);
  return {
    cpu_avg: mean(raw),
    cpu_max: raw.length ? raw.reduce((a, b) => Math.max(a, b), 0) : null,
    cpu_s: rate === null ? null : (rate / 100) * sampled_s,
    cpu_mean: rate,
    cpu_inst_max: pairs.length ? pairs.reduce((top, i) => Math.max(top, series.cpuInst[i]!), 0) : null,
    cpu_falls: raw.length > 1 ? lifetimeAverageFalls(series) : null,
    cpu_mem_raw_r: pearson(
      pairsRaw.map((i) => series.cpuRaw[i]!),
      pairsRaw.map((i) => series.memoryMb[i]!),
    ),
    cpu_mem_r: pearson(
      pairs.map((i) => series.cpuInst[i]!),
      pairs.map((i) => series.memoryMb[i]!),
    ),
  };
}
