import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import type { Value } from './define/evaluate.ts';
import { type Figure, type Finding, figureOf } from './findings.ts';

/**
 * The raw results of the authors' own experiments, where the input has them: `isolation_results/<arm>_run<n>_<time>/` with
 * `config.json` and one result per session that finished, and `overhead_results/<time>/{micro,trace}_<arm>_run<n>.json`.
 * What they show is computed as the paper says it and as they say it.
 */
interface Run {
  arm: string;
  memoryMb: number;
  results: z.infer<typeof Result>[];
}

const Config = z.object({ strategy: z.string(), total_memory_mb: z.number() });
const Result = z.object({
  name: z.string(),
  total_time: z.number(),
  peak_memory_mb: z.number(),
  events_delta: z.object({ high: z.number() }).partial().optional(),
  latency_stats: z.object({ p95_ms: z.number() }).optional(),
});
const Micro = z.object({ alloc_latency: z.object({ p50_ms: z.number() }) });
const Replay = z.object({ completion_time_sec: z.number() });

/** The name under which these figures stand, in the place of a set. */
export const evaluationSet = 'evaluation';
/** Sessions in each run of the isolation experiment: one high, two low. */
const sessions = 3;

/** Findings from such a folder, or one that has it as a child; null when there is none. */
export async function evaluationFindings(path: string): Promise<Finding[] | null> {
  for (const dir of [path, join(path, 'eval')]) {
    const names = await readdir(dir).catch((): string[] => []);
    if (!names.includes('isolation_results') && !names.includes('overhead_results')) continue;
    const runs = await isolationRuns(join(dir, 'isolation_results'));
    const overhead = await overheadRuns(join(dir, 'overhead_results'));
    return rows(runs, overhead);
  }
  return null;
}

async function json<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  try {
    return schema.safeParse(JSON.parse(await readFile(path, 'utf8'))).data;
  } catch {
    // a run that did not finish has no result: that is what is counted
    return undefined;
  }
}

async function isolationRuns(dir: string): Promise<Run[]> {
  const runs: Run[] = [];
  for (const name of (await readdir(dir).catch((): string[] => [])).sort()) {
    const config = await json(join(dir, name, 'config.json'), Config);
    if (!config) continue;
    const results = [];
    for (const who of ['high', 'low1', 'low2']) {
      const result = await json(join(dir, name, `${who}_result.json`), Result);
      if (result) results.push(result);
    }
    runs.push({ arm: config.strategy, memoryMb: config.total_memory_mb, results });
  }
  return runs;
}

async function overheadRuns(dir: string): Promise<Record<'p50' | 'completion', Record<string, number[]>>> {
  const found: Record<'p50' | 'completion', Record<string, number[]>> = { p50: {}, completion: {} };
  for (const time of await readdir(dir).catch((): string[] => []))
    for (const file of (await readdir(join(dir, time))).sort()) {
      const m = /^(micro|trace)_(\w+)_run\d+\.json$/.exec(basename(file));
      if (!m) continue;
      const value =
        m[1] === 'micro'
          ? (await json(join(dir, time, file), Micro))?.alloc_latency.p50_ms
          : (await json(join(dir, time, file), Replay))?.completion_time_sec;
      if (value === undefined) continue;
      const list = found[m[1] === 'micro' ? 'p50' : 'completion'];
      list[m[2]!] = [...(list[m[2]!] ?? []), value];
    }
  return found;
}

const untold: Value = { value: null, n: 0, sessions: 0, reason: 'the raw delays are not in the published results' };
const noLimit = 'no_isolation';
const bpf = 'bpf';

function rows(runs: readonly Run[], overhead: Record<'p50' | 'completion', Record<string, number[]>>): Finding[] {
  const tightMb = Math.min(...runs.map((r) => r.memoryMb));
  const moderateMb = Math.max(...runs.map((r) => r.memoryMb));
  const of = (arm: string, memoryMb: number) => runs.filter((r) => r.arm === arm && r.memoryMb === memoryMb);
  const high = (r: Run) => r.results.find((x) => x.name === 'HIGH');
  const lows = (r: Run) => r.results.filter((x) => x.name !== 'HIGH');
  const p95 = (arm: string) => of(arm, moderateMb).flatMap((r) => high(r)?.latency_stats?.p95_ms ?? []);
  const survived = (arm: string) => of(arm, tightMb).map((r) => (100 * r.results.length) / sessions);
  const times = (arm: string) => of(arm, tightMb).flatMap((r) => high(r)?.total_time ?? []);
  const triggers = of(bpf, tightMb).flatMap((r) => lows(r).flatMap((x) => x.events_delta?.high ?? []));
  const peakHigh = of(bpf, tightMb).flatMap((r) => high(r)?.peak_memory_mb ?? []);
  const peakLow = of(bpf, tightMb).flatMap((r) => lows(r).map((x) => x.peak_memory_mb));
  const change = (before: Value, after: Value): Value =>
    typeof before.value === 'number' && typeof after.value === 'number' && before.value !== 0
      ? { value: 100 * (after.value / before.value - 1), n: before.n + after.n, sessions: 0 }
      : { value: null, n: 0, sessions: 0, reason: 'one arm has no runs' };
  const [no95, bpf95] = [meanOf(p95(noLimit)), meanOf(p95(bpf))];
  const bpfFirst = meanOf(p95(bpf).slice(0, 2));
  const [noTime, bpfTime] = [meanOf(times(noLimit)), meanOf(times(bpf))];
  const hundredth = (v: Value): Value => ({
    ...v,
    value: typeof v.value === 'number' ? Math.round(v.value * 100) / 100 : null,
  });
  const whole = (v: Value): number => (typeof v.value === 'number' ? Math.round(v.value) : 0);
  const [h, l] = [meanOf(peakHigh), meanOf(peakLow)];
  const sum = (n: number | null): Value => ({ value: n, n: peakHigh.length + peakLow.length, sessions: 0 });
  return [
    row('eval.p95', 'High-priority session: 95th percentile of allocation latency', 'ms, ms, %', {
      paper: [
        'mean over runs at the larger memory limit: all runs without control, the first two with it',
        { no: no95, bpf: bpfFirst, change: change(no95, bpfFirst) },
      ],
      sound: [
        'mean over all runs of both arms, with the range over runs in the detail',
        { no: no95, bpf: bpf95, change: change(no95, bpf95) },
      ],
      difference:
        "The paper's figure leaves one run of three out of one arm. Three runs an arm whose ranges overlap do not show a difference.",
    }),
    row('eval.survival', 'Sessions that finished under the tight limit', '%', {
      paper: ['result files / 3', { no: meanOf(survived(noLimit)), bpf: meanOf(survived(bpf)) }],
      sound: ['the same', { no: meanOf(survived(noLimit)), bpf: meanOf(survived(bpf)) }],
      difference: 'One run an arm.',
    }),
    row('eval.high_overhead', 'High-priority session: extra time under control', '%', {
      paper: [
        'total times rounded to hundredths of a second, then divided',
        { value: change(hundredth(noTime), hundredth(bpfTime)) },
      ],
      sound: ['total times divided', { value: change(noTime, bpfTime) }],
      difference: 'Rounding before dividing moves the figure by a tenth of itself.',
    }),
    row('eval.triggers', 'Breaches of memory.high in each low session', 'events', {
      paper: ['memory.events high after - before, mean over the low sessions', { value: meanOf(triggers) }],
      sound: ['the same: they count breaches, not delays', { value: meanOf(triggers) }],
      difference: "The paper calls them delay triggers and gives one session's number.",
    }),
    row('eval.peaks', 'Peaks of the replayed sessions', 'MiB', {
      paper: [
        'peaks rounded, sum of the rounded',
        { high: h, low: l, sum: sum(h.n && l.n ? whole(h) + 2 * whole(l) : null) },
      ],
      sound: [
        'the same without rounding',
        {
          high: h,
          low: l,
          sum: sum(typeof h.value === 'number' && typeof l.value === 'number' ? h.value + 2 * l.value : null),
        },
      ],
      difference: '',
    }),
    row('eval.throttle', 'Precision of the throttling delay', 's', {
      paper: ['mean and standard deviation of the delays', { mean: untold, sd: untold }],
      sound: ['the same', { mean: untold, sd: untold }],
      difference: 'The raw delays are not among the published results.',
    }),
    row('eval.overhead', 'Overhead: median allocation latency and replay time', '%', {
      paper: [
        'means over runs, control on against off',
        {
          p50: change(meanOf(overhead.p50.no ?? []), meanOf(overhead.p50.bpf ?? [])),
          completion: change(meanOf(overhead.completion.no ?? []), meanOf(overhead.completion.bpf ?? [])),
        },
      ],
      sound: [
        'range over runs of the median latency, largest / smallest (both arms): the noise the difference must stand out of',
        { p50_spread: ratio([...(overhead.p50.no ?? []), ...(overhead.p50.bpf ?? [])]) },
      ],
      difference:
        'The replay is driven by time, so its length hardly can vary; the median latency varies threefold from run to run.',
    }),
  ];
}

/** Mean over runs, with their range. */
function meanOf(values: readonly number[]): Value {
  if (!values.length) return { value: null, n: 0, sessions: 0, reason: 'no such runs' };
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q: number) => sorted[Math.round((sorted.length - 1) * q)]!;
  return {
    value: values.reduce((a, b) => a + b, 0) / values.length,
    n: values.length,
    sessions: values.length,
    spread: { min: at(0), p25: at(0.25), median: at(0.5), p75: at(0.75), max: at(1) },
  };
}

function ratio(values: readonly number[]): Value {
  return values.length
    ? { value: Math.max(...values) / Math.min(...values), n: values.length, sessions: values.length }
    : { value: null, n: 0, sessions: 0, reason: 'no such runs' };
}

type Side = [rule: string, parts: Record<string, Value>];

function row(
  id: string,
  title: string,
  unit: string,
  forms: { paper: Side; sound: Side; difference: string },
): Finding {
  const figure = ([, parts]: Side): Record<string, Figure> => ({ [evaluationSet]: figureOf(parts) });
  return {
    id,
    topic: 'evaluation',
    title,
    unit,
    definition: { paper: forms.paper[0], sound: forms.sound[0] },
    difference: forms.difference,
    paper: figure(forms.paper),
    sound: figure(forms.sound),
    n: { [evaluationSet]: Math.max(...Object.values(forms.sound[1]).map((v) => v.n)) },
    detail: { [evaluationSet]: { paper: forms.paper[1], sound: forms.sound[1] } },
  };
}
