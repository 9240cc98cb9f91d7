import type { BurstRow, SampleRow } from '../tables.ts';
import { holds, type Interval } from './intervals.ts';
import { bursts, type Memory } from './memory.ts';
import type { Series } from './series.ts';

/** One row per sample; `all` and `leaf` are the merged intervals of all calls, and of those that are no envelope. */
export function sampleRows(id: number, series: Series, all: Interval[], leaf: Interval[]): SampleRow[] {
  const start = series.t[0] ?? 0;
  return series.t.map((t, i) => {
    const raw = series.cpuRaw[i]!;
    const rawBefore = i ? series.cpuRaw[i - 1]! : null;
    const inst = series.cpuInst[i]!;
    const instBefore = i ? series.cpuInst[i - 1]! : null;
    return {
      id,
      t_s: (t - start) / 1000,
      dt_s: i ? (t - series.t[i - 1]!) / 1000 : null,
      mem_mb: series.memoryMb[i]!,
      sliced_mb: series.slicedMb[i]!,
      d_mem_mb: i ? series.memoryMb[i]! - series.memoryMb[i - 1]! : null,
      cpu: raw,
      d_cpu: raw === null || rawBefore === null ? null : raw - rawBefore,
      cpu_inst: inst,
      d_cpu_inst: inst === null || instBefore === null ? null : inst - instBefore,
      in_call: holds(all, t),
      in_leaf: holds(leaf, t),
      gone: series.gone[i]!,
    };
  });
}

/** One row per burst over `threshold`; `busy` says which samples lie in a leaf call. */
export function burstRows(
  id: number,
  kind: string,
  memory: Memory,
  busy: boolean[],
  threshold: number,
  floor: number,
): BurstRow[] {
  return bursts(memory, threshold, floor).map((b) => ({
    id,
    kind,
    samples: b.samples,
    length_s: b.length_s,
    height_mb: b.height_mb,
    rise_s: b.rise_s,
    in_leaf: busy.slice(b.first, b.last + 1).some(Boolean),
  }));
}
