import type { ImportedSession } from '../../../trace/index.ts';
import { mean } from '../../statistics/index.ts';
import type { BurstRow, CallRow, GroupRow, SampleRow, TaskRow } from '../tables.ts';
import { callRows, groupRow, inSourceOrder, isCommand, runsOf, testRepeats } from './calls.ts';
import { covered, holds, type Interval, merge } from './intervals.ts';
import { bandOf, earlyMean, held, idleLevel, indexOfMaximum, longestRun, type Memory, timeMean } from './memory.ts';
import { processorOf } from './processor.ts';
import { burstRows, sampleRows } from './rows.ts';
import { type Series, seriesOf } from './series.ts';
import { modelTurns } from './turns.ts';

/** Thresholds of the definitions, with the paper's values. */
export interface Thresholds {
  /** A sample above this is a memory burst (the paper's rule), MB. */
  burstMb: number;
  /** A sample this far above the session's own idle memory is a burst (ours), MB. */
  riseMb: number;
  /** A sample above this is a CPU burst, per cent of one core. */
  burstCpu: number;
}

export const defaultThresholds: Thresholds = { burstMb: 300, riseMb: 100, burstCpu: 30 };

/** Which sessions count. The paper's rule is for its data set, where a failed run shows as a short one. */
export interface Filter {
  minSamples: number;
  minSeconds: number;
}

export const paperFilter: Filter = { minSamples: 10, minSeconds: 60 };

/** All rows of one session. */
export interface Measured {
  task: TaskRow;
  samples: SampleRow[];
  calls: CallRow[];
  bursts: BurstRow[];
  groups: GroupRow[];
  /** Seconds, MB in use, and MB of the per-call band, for the simulation of a node. */
  course: { t: number[]; mb: number[]; band: number[]; cpu: (number | null)[] };
}

export interface Place {
  id: number;
  set: string;
  thresholds: Thresholds;
  /** Undefined: every session counts. */
  filter: Filter | undefined;
}

/** Measures one session. Pure: the same session gives the same rows. */
export function measureSession(imported: ImportedSession, { id, set, thresholds, filter }: Place): Measured {
  const { session } = imported;
  const series = seriesOf(imported.samples);
  const calls = inSourceOrder(imported.calls);
  const leaves = calls.filter((c) => !c.envelope);
  const intervalsOf = (list: typeof calls): Interval[] =>
    list.flatMap((c) => (c.end === undefined ? [] : [{ start: c.start, end: c.end }]));
  const all = merge(intervalsOf(calls));
  const leaf = merge(intervalsOf(leaves));
  const live = series.t.map((_, i) => i).filter((i) => !series.gone[i]);
  const memory: Memory = {
    t: live.map((i) => series.t[i]! / 1000),
    mb: live.map((i) => series.memoryMb[i]!),
  };
  const busy = live.map((i) => holds(leaf, series.t[i]!));
  const peakAt = indexOfMaximum(memory.mb);
  const peak = memory.mb[peakAt] ?? null;
  const idle = idleLevel(memory.mb, busy);
  const band = bandOf(
    memory.mb,
    live.map((i) => stretchAt(leaf, series.t[i]!)),
  );
  const avg = mean(memory.mb);
  const timed = (list: readonly number[]): number => held(memory.t, list);
  const turns = modelTurns(imported.events);
  const groups = runsOf(calls, isCommand).map((g) => groupRow(id, g, series));
  const tests = testRepeats(calls);
  const sampled_s = series.t.length > 1 ? (series.t.at(-1)! - series.t[0]!) / 1000 : 0;
  const span = spanOf(imported, series);
  const active =
    session.activeStart !== undefined && session.activeEnd !== undefined
      ? (session.activeEnd - session.activeStart) / 1000
      : sampled_s || span;
  const cpu = processorOf(imported.samples, series, sampled_s);
  const noSamples = memory.mb.length === 0;
  const task: TaskRow = {
    id,
    set_name: set,
    task: session.task ?? session.session,
    attempt: session.attempt ?? null,
    session: session.session,
    source: session.source,
    model: turns.model ?? session.model ?? null,
    sub_model: turns.subModel ?? null,
    used:
      session.lastAttempt !== false &&
      (!filter || (series.t.length >= filter.minSamples && sampled_s >= filter.minSeconds)),
    samples: series.t.length,
    sampled_s: noSamples ? null : sampled_s,
    wall_s: session.phasesMs?.run !== undefined ? session.phasesMs.run / 1000 : span || null,
    active_s: active || null,
    logged: session.activeStart !== undefined,
    permission_fix_s: seconds(session.phasesMs?.permissionFix),
    pull_s: seconds(session.phasesMs?.pull),
    image_gib: session.imageBytes === undefined ? null : session.imageBytes / 2 ** 30,
    limit_mb: session.memoryLimitBytes === undefined ? null : session.memoryLimitBytes / 1e6,
    // only this data set gives the agent its task in such a file
    empty_issue:
      session.source === 'dataset'
        ? imported.events.some((e) => e.kind === 'agent-stderr' && /\/issue\.md: No such file/.test(e.text ?? ''))
        : null,
    calls: calls.length,
    commands: calls.filter(isCommand).length,
    tool_sum_s: intervalsOf(calls).reduce((sum, i) => sum + i.end - i.start, 0) / 1000,
    tool_union_s: covered(all) / 1000,
    tool_leaf_s: covered(leaf) / 1000,
    mem_peak_mb: peak,
    mem_avg_mb: avg,
    mem_mean_mb: timeMean(memory),
    mem_early_mb: earlyMean(memory.mb),
    mem_idle_mb: idle,
    peak_index: memory.mb.length > 1 ? peakAt / (memory.mb.length - 1) : null,
    peak_time: sampled_s > 0 ? (memory.t[peakAt]! * 1000 - series.t[0]!) / 1000 / sampled_s : null,
    near_peak_run: peak === null ? null : longestRun(memory.mb, 0.8 * peak),
    near_peak_share: peak === null ? null : memory.mb.filter((v) => v >= 0.8 * peak).length / memory.mb.length,
    below_avg_share: avg === null ? null : memory.mb.filter((v) => v <= avg).length / memory.mb.length,
    ...cpu,
    records: turns.records || null,
    messages: turns.messages || null,
    record_tokens: turns.recordTokens,
    message_tokens: turns.messageTokens,
    reserve_peak_mbs: peak === null ? null : timed(memory.mb.map(() => peak)),
    reserve_band_mbs: peak === null ? null : timed(band),
    used_mbs: peak === null ? null : timed(memory.mb),
    command_groups: groups.length,
    longest_group: groups.length ? Math.max(...groups.map((g) => g.calls!)) : null,
    group_s: groups.length ? groups.reduce((sum, g) => sum + g.length_s!, 0) : null,
    kept_mb: sumOf(groups.map((g) => g.kept_mb)),
    kept_sliced_mb: sumOf(groups.map((g) => g.kept_sliced_mb)),
    tests_in_row_same: tests.inRowSame,
    tests_in_row: tests.inRow,
    tests_same_3: tests.same3,
    tests_3: tests.three,
    repeat_s: tests.repeat_s,
  };
  return {
    task,
    samples: sampleRows(id, series, all, leaf),
    calls: callRows(id, calls, series, series.t[0] ?? session.start),
    bursts: [
      ...burstRows(id, 'level', memory, busy, thresholds.burstMb, thresholds.burstMb),
      ...(idle === null ? [] : burstRows(id, 'rise', memory, busy, idle + thresholds.riseMb, idle)),
    ],
    groups,
    course: {
      t: memory.t.map((x) => x - memory.t[0]!),
      mb: memory.mb,
      band,
      cpu: live.map((i) => series.cpuInst[i]!),
    },
  };
}

const seconds = (ms: number | undefined): number | null => (ms === undefined ? null : ms / 1000);

function sumOf(values: (number | null)[]): number | null {
  const known = values.filter((v) => v !== null);
  return known.length ? known.reduce((a, b) => a + b, 0) : null;
}

/** Number of the stretch at `t`: odd inside a leaf call (or a cluster of overlapping ones), even between them. */
function stretchAt(leaf: readonly Interval[], t: number): number {
  let low = 0;
  let high = leaf.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (leaf[middle]!.end < t) low = middle + 1;
    else high = middle;
  }
  return low < leaf.length && leaf[low]!.start <= t ? 2 * low + 1 : 2 * low;
}

/** Seconds from the first to the last sign of life. */
function spanOf({ session, calls }: ImportedSession, series: Series): number {
  const ends = calls.flatMap((c) => (c.end === undefined ? [c.start] : [c.start, c.end]));
  let first = session.start;
  let last = session.end ?? session.activeEnd ?? session.start;
  for (const t of [series.t[0], series.t.at(-1), ...ends])
    if (t !== undefined) {
      first = Math.min(first, t);
      last = Math.max(last, t);
    }
  return (last - first) / 1000;
}
