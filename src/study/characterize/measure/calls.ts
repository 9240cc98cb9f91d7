import type { CallRecord } from '../../../model/index.ts';
import type { CallRow, GroupRow } from '../tables.ts';
import { commandClass, paperClass } from './classes.ts';
import { firstAfter, firstFrom } from './intervals.ts';
import type { Series } from './series.ts';

/** Tools that run a command in a shell, by the names agents give them. */
const shellTools = /^(bash|shell|exec|exec_command|local_shell|run_command|terminal|execute_bash|container\.exec)$/i;

export function isCommand(call: CallRecord): boolean {
  return !call.envelope && (call.command !== undefined || shellTools.test(call.tool));
}

/** Calls in the order in which the agent's log has them, which is not always the order of time (parallel calls). */
export function inSourceOrder(calls: readonly CallRecord[]): CallRecord[] {
  return [...calls].sort((a, b) => (a.seq ?? a.start) - (b.seq ?? b.start) || a.start - b.start);
}

/** One row per call: duration, class, and what memory and CPU did in it. `id` is the session's row number. */
export function callRows(id: number, calls: readonly CallRecord[], series: Series, start: number): CallRow[] {
  const { t } = series;
  const first = t[0];
  const window = first === undefined ? 0 : t.at(-1)! - first;
  const last = new Map<string, number>();
  return calls.map((call, n) => {
    const command = isCommand(call);
    const text = call.command ?? '';
    const kind = command ? commandClass(text) : null;
    const rise = riseIn(call, series);
    const demand = call.peakBytes !== undefined ? call.peakBytes / 1e6 : rise && Math.max(0, rise.exact);
    const row: CallRow = {
      id,
      n,
      tool: call.tool,
      is_command: command,
      envelope: call.envelope === true,
      sub_agent: call.subAgent === true,
      class_time: command ? paperClass(text, 'time') : null,
      class_spike: command ? paperClass(text, 'spike') : null,
      class: kind,
      label: call.command === undefined ? null : normal(call.command).slice(0, 80),
      start_s: (call.start - start) / 1000,
      dur_s: call.end === undefined ? null : (call.end - call.start) / 1000,
      progress: first !== undefined && window > 0 ? (call.start - first) / window : null,
      samples_in: rise?.samples ?? 0,
      rise_mb: rise?.exact ?? null,
      rise_sliced_mb: rise?.sliced ?? null,
      rise_cpu: rise?.cpu ?? null,
      rise_cpu_inst: rise?.cpuInst ?? null,
      demand_mb: demand ?? null,
      last_demand_mb: kind === null ? null : (last.get(kind) ?? null),
    };
    if (kind !== null && row.demand_mb !== null) last.set(kind, row.demand_mb);
    return row;
  });
}

interface Rise {
  samples: number;
  exact: number;
  sliced: number;
  cpu: number | null;
  cpuInst: number | null;
}

/** Highest sample inside the call minus the last one before it; undefined when no sample is inside or none before. */
function riseIn(call: CallRecord, series: Series): Rise | undefined {
  if (call.end === undefined) return undefined;
  const from = firstFrom(series.t, call.start);
  const to = firstAfter(series.t, call.end);
  if (to <= from || from === 0) return undefined;
  const highest = (values: readonly (number | null)[]): number | null => {
    const before = values[from - 1];
    let top: number | null = null;
    for (let i = from; i < to; i++) {
      const v = values[i];
      if (v !== null && v !== undefined && (top === null || v > top)) top = v;
    }
    return top === null || before === null || before === undefined ? null : top - before;
  };
  return {
    samples: to - from,
    exact: highest(series.memoryMb)!,
    sliced: highest(series.slicedMb)!,
    cpu: highest(series.cpuRaw),
    cpuInst: highest(series.cpuInst),
  };
}

/** Maximal runs, of three or more calls, of calls that `belongs` accepts. */
export function runsOf<T>(calls: readonly T[], belongs: (call: T) => boolean, least = 3): T[][] {
  const runs: T[][] = [];
  let run: T[] = [];
  for (const call of calls) {
    if (belongs(call)) run.push(call);
    else {
      if (run.length >= least) runs.push(run);
      run = [];
    }
  }
  if (run.length >= least) runs.push(run);
  return runs;
}

/** One run of commands: how long they took together and how much memory was there after it that was not before. */
export function groupRow(id: number, group: readonly CallRecord[], series: Series): GroupRow {
  const ended = group.filter((c) => c.end !== undefined);
  const start = ended[0]?.start;
  const end = ended.at(-1)?.end;
  let kept: { exact: number; sliced: number } | undefined;
  if (start !== undefined && end !== undefined) {
    const before = firstAfter(series.t, start) - 1;
    const after = firstFrom(series.t, end);
    if (before >= 0 && after < series.t.length)
      kept = {
        exact: Math.max(0, series.memoryMb[after]! - series.memoryMb[before]!),
        sliced: Math.max(0, series.slicedMb[after]! - series.slicedMb[before]!),
      };
  }
  return {
    id,
    calls: group.length,
    length_s: ended.reduce((sum, c) => sum + (c.end! - c.start) / 1000, 0),
    kept_mb: kept?.exact ?? null,
    kept_sliced_mb: kept?.sliced ?? null,
  };
}

/** White space does not make a command another one. */
const normal = (command: string | undefined) => (command ?? '').trim().replace(/\s+/g, ' ');

export interface TestRepeats {
  inRowSame: boolean;
  inRow: boolean;
  same3: boolean;
  three: boolean;
  /** Seconds in every run of a test command after its first. */
  repeat_s: number;
}

/** How often test commands are run again. `isTest` by the paper's words. */
export function testRepeats(calls: readonly CallRecord[]): TestRepeats {
  const isTest = (c: CallRecord) => isCommand(c) && paperClass(c.command ?? '', 'time') === 'Test Execution';
  const rows = runsOf(calls, isTest);
  const counts = new Map<string, number>();
  let repeat_s = 0;
  for (const c of calls.filter(isTest)) {
    const key = normal(c.command);
    const seen = counts.get(key) ?? 0;
    counts.set(key, seen + 1);
    if (seen && c.end !== undefined) repeat_s += (c.end - c.start) / 1000;
  }
  const sameThree = (run: CallRecord[]) =>
    run.some((c, i) => i >= 2 && [run[i - 1]!, run[i - 2]!].every((o) => normal(o.command) === normal(c.command)));
  return {
    inRowSame: rows.some(sameThree),
    inRow: rows.length > 0,
    same3: [...counts.values()].some((n) => n >= 3),
    three: [...counts.values()].reduce((a, b) => a + b, 0) >= 3,
    repeat_s,
  };
}
