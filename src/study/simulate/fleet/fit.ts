/** Shapes from recorded sessions: how long, how much, how often; and how these go together. */
import { commandClass } from '../../../control/policy/index.ts';
import { AcgError, type CallRecord } from '../../../model/index.ts';
import { openTraces } from '../../../trace/index.ts';
import { mean, pearson, quantileOfSorted } from '../../statistics/index.ts';
import { score } from './normal.ts';
import type { CallClass, Quantiles, Shapes } from './shapes.ts';

/** One call as far as the trace shows it. */
interface Seen {
  session: number;
  class: string;
  command: string;
  seconds: number;
  /** Most memory above what the session held before, MB; undefined: no sample fell into the call. */
  peakMb: number | undefined;
  rise: number | undefined;
  fill: number | undefined;
}

/** What a session as recorded needed: to set beside what is drawn from the shapes. */
export interface Recorded {
  peakMb: number;
  meanMb: number;
  seconds: number;
}

/** Classes with fewer calls with a known peak are put together. */
const least = 20;
/** Of the public data set, sessions shorter than this are broken recordings (as `characterize` has it). */
const leastSamples = 10;
/** Programs that divide their work among processes: 4 is what `-n auto` and `-j` come to on small machines. An assumption. */
const parallel = new Set(['pytest', 'js-test', 'make', 'cargo', 'go', 'java', 'npm', 'bundler', 'test']);

export interface FitOptions {
  origin: string;
  onSession?: (n: number) => void;
}

/** Throws ACG_TRACE_EMPTY when the traces hold no session with samples and timed commands. */
export async function fitTraces(
  paths: string[],
  options: FitOptions,
): Promise<{ shapes: Shapes; recorded: Recorded[] }> {
  const recorded: Recorded[] = [];
  const seen: Seen[] = [];
  const agents: number[] = [];
  const counts: number[] = [];
  const thinks: number[] = [];
  let n = 0;
  for await (const s of openTraces(paths)) {
    options.onSession?.(++n);
    const own = s.samples.filter((x) => (x.scope === undefined || x.scope === 'session') && !x.gone);
    if (own.length < (s.session.source === 'dataset' ? leastSamples : 2) || s.session.lastAttempt === false) continue;
    const calls = s.calls.filter((c) => c.end !== undefined && !c.envelope && isCommand(c));
    const t = own.map((x) => x.t);
    const mb = own.map((x) => x.memoryBytes / 1e6);
    const id = recorded.length;
    recorded.push(courseOf(t, mb));
    agents.push(idleLevel(t, mb, calls));
    counts.push(calls.length);
    let last = s.session.activeStart ?? t[0]!;
    for (const c of calls) {
      thinks.push(Math.max(0, c.start - last) / 1000);
      last = Math.max(last, c.end!);
      seen.push(seenOf(id, c, t, mb));
    }
  }
  if (!seen.some((c) => c.peakMb !== undefined))
    throw new AcgError(
      'ACG_TRACE_EMPTY',
      `${paths.join(', ')}: no session with memory samples inside timed commands; shapes cannot be fitted`,
    );
  return {
    recorded,
    shapes: {
      version: 1,
      origin: options.origin,
      sessions: recorded.length,
      calls: seen.length,
      agentMb: quantiles(agents),
      callsPerSession: quantiles(counts),
      thinkSeconds: quantiles(thinks),
      ...classesOf(seen),
    },
  };
}

const isCommand = (c: CallRecord): boolean =>
  c.command !== undefined || c.via !== undefined || /^(bash|shell|exec|run_command|terminal)/i.test(c.tool);

function courseOf(t: readonly number[], mb: readonly number[]): Recorded {
  let area = 0;
  for (let i = 1; i < t.length; i++) area += mb[i - 1]! * (t[i]! - t[i - 1]!);
  const length = t.at(-1)! - t[0]!;
  return { peakMb: Math.max(...mb), meanMb: length > 0 ? area / length : mean(mb)!, seconds: length / 1000 };
}

/** Median of the samples outside of calls; of all, where there are none. */
function idleLevel(t: readonly number[], mb: readonly number[], calls: readonly CallRecord[]): number {
  const outside = mb.filter((_, i) => !calls.some((c) => c.start <= t[i]! && t[i]! <= c.end!));
  return quantileOfSorted(Float64Array.from(outside.length > 0 ? outside : mb).sort(), 0.5);
}

function seenOf(session: number, c: CallRecord, t: readonly number[], mb: readonly number[]): Seen {
  const seconds = (c.end! - c.start) / 1000;
  const own = { session, class: commandClass(c.command ?? ''), command: c.command ?? '', seconds };
  const from = t.findIndex((x) => x >= c.start);
  const inside = from <= 0 ? [] : mb.slice(from).filter((_, i) => t[from + i]! <= c.end!);
  if (inside.length === 0) return { ...own, peakMb: megabytes(c.peakBytes), rise: undefined, fill: undefined };
  const before = mb[from - 1]!;
  const rises = inside.map((m) => Math.max(0, m - before));
  const top = Math.max(...rises);
  // the shape is only seen where there are some samples and something rises
  const shaped = inside.length >= 4 && top > 10;
  return {
    ...own,
    peakMb: megabytes(c.peakBytes) ?? top,
    rise: shaped ? (rises.indexOf(top) + 1) / inside.length : undefined,
    fill: shaped ? mean(rises)! / top : undefined,
  };
}

const megabytes = (bytes: number | undefined): number | undefined => (bytes === undefined ? undefined : bytes / 1e6);

function classesOf(seen: readonly Seen[]): Pick<Shapes, 'classes' | 'sameSession' | 'longIsLarge'> {
  const known = Map.groupBy(
    seen.filter((c) => c.peakMb !== undefined),
    (c) => c.class,
  );
  const nameOf = (c: Seen) => ((known.get(c.class)?.length ?? 0) >= least ? c.class : 'other');
  const peaks: { session: number; z: number }[] = [];
  const pairs: [number, number][] = [];
  const classes: CallClass[] = [];
  for (const [name, all] of Map.groupBy(seen, nameOf)) {
    const own = all.filter((c) => c.peakMb !== undefined);
    // a class that was never sampled is as the others are
    const used = own.length > 0 ? own : seen.filter((c) => c.peakMb !== undefined);
    const zPeak = scores(own.map((c) => c.peakMb!));
    const zLong = scores(own.map((c) => c.seconds));
    for (const [i, c] of own.entries()) {
      peaks.push({ session: c.session, z: zPeak[i]! });
      pairs.push([zLong[i]!, zPeak[i]!]);
    }
    classes.push({
      name,
      command: commandOf(name),
      share: all.length / seen.length,
      seconds: quantiles(all.map((c) => c.seconds)),
      peakMb: quantiles(used.map((c) => c.peakMb!)),
      rise: middle(used.flatMap((c) => c.rise ?? [])),
      fill: middle(used.flatMap((c) => c.fill ?? [])),
      processes: parallel.has(name) ? 4 : 1,
    });
  }
  const r = pearson(
    pairs.map((p) => p[0]),
    pairs.map((p) => p[1]),
  );
  return { classes, sameSession: betweenSessions(peaks), longIsLarge: Math.max(-0.99, Math.min(0.99, r ?? 0)) };
}

const middle = (values: readonly number[]): number =>
  values.length === 0 ? 0.5 : Math.max(0.01, quantileOfSorted(Float64Array.from(values).sort(), 0.5));

/** Normal scores: each value by its rank. */
function scores(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const found: number[] = new Array(values.length);
  for (const [rank, i] of order.entries()) found[i] = score((rank + 0.5) / values.length);
  return found;
}

/** Intraclass correlation from a one-way analysis of variance (Fisher), not below 0. */
function betweenSessions(rows: readonly { session: number; z: number }[]): number {
  const groups = [...Map.groupBy(rows, (r) => r.session).values()];
  const n = rows.length;
  const k = groups.length;
  if (k < 2 || n <= k) return 0;
  const all = mean(rows.map((r) => r.z))!;
  let between = 0;
  let within = 0;
  let squares = 0;
  for (const g of groups) {
    const m = mean(g.map((r) => r.z))!;
    between += g.length * (m - all) ** 2;
    for (const r of g) within += (r.z - m) ** 2;
    squares += g.length ** 2;
  }
  const [msb, msw] = [between / (k - 1), within / (n - k)];
  const size = (n - squares / n) / (k - 1);
  return Math.max(0, Math.min(0.99, (msb - msw) / (msb + (size - 1) * msw)));
}

const steps = [0, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1];

function quantiles(values: readonly number[]): Quantiles {
  const sorted = Float64Array.from(values).sort();
  return steps.map((p) => [p, Number(quantileOfSorted(sorted, p).toPrecision(4))]);
}

/** A command the policy puts into that class. */
const commands: Record<string, string> = {
  pytest: 'pytest',
  'js-test': 'vitest',
  test: 'ctest',
  bundler: 'webpack',
  typescript: 'tsc',
  make: 'make',
  cargo: 'cargo build',
  go: 'go build',
  java: 'mvn test',
  pip: 'pip install x',
  npm: 'npm ci',
  install: 'apt-get install x',
  server: 'uvicorn x',
  search: 'grep x',
  vcs: 'git status',
  python: 'python3 x.py',
  node: 'node x.js',
  small: 'true',
};
const commandOf = (name: string): string => commands[name] ?? './other';
