/** Recorded sessions as calls to be replayed. Pure. */
import { type CommandClass, commandClass } from '../../control/policy/index.ts';
import type { CallRecord, SampleRecord } from '../../model/index.ts';
import type { ImportedSession } from '../../trace/index.ts';
import { quantile } from '../statistics/index.ts';
import type { LiveCall, Point, ShapedCall } from './session.ts';

export interface TraceOptions {
  /** Recorded time passes so many times faster. */
  speed: number;
  /** Memory is multiplied by it. */
  scale: number;
}

/** A harmless command of each class, for control to see: the recorded one would be run by nobody. */
const standIn: Record<CommandClass, string> = {
  pytest: 'pytest -q',
  'js-test': 'vitest run',
  test: 'ctest',
  bundler: 'webpack',
  typescript: 'tsc -p .',
  make: 'make -j4',
  cargo: 'cargo build',
  go: 'go build',
  java: 'mvn package',
  pip: 'pip install -r requirements.txt',
  npm: 'npm ci',
  install: 'apt-get install -y package',
  server: 'uvicorn app',
  search: 'grep -r word .',
  vcs: 'git status',
  python: 'python3 script.py',
  node: 'node script.js',
  small: 'ls',
  other: 'tool',
};
/** What a call holds that was too short for the sampler to see. */
const UNSEEN_BYTES = 4 * 2 ** 20;
/** Points nearer to their neighbours than this are left out, unless they have come this far from the last one that was not. */
const SAME_BYTES = 2 ** 20;
const FAR_BYTES = 4 * 2 ** 20;

const wholeSession = (s: SampleRecord) => (s.scope === undefined || s.scope === 'session') && !s.gone;

/** The session's memory over time as one call, memory alone: the paper's way to replay it. */
export function wholeAsCall(trace: ImportedSession, { speed, scale }: TraceOptions): ShapedCall[] {
  const samples = trace.samples.filter(wholeSession);
  const first = samples[0]?.t ?? 0;
  const shape = samples.map((s) => ({ at: (s.t - first) / speed, anon: s.memoryBytes * scale, file: 0, cpu: 0 }));
  return shape.length > 0 ? [{ ...bare, command: 'replay', shape: simplified(shape) }] : [];
}

const bare = { after: 0, workers: 1, retries: 0, smaller: 1 };

/** Calls that were commands, in order; those that overlap (sub-agents) come one after the other, as the time before them shrinks. */
function commandsOf(trace: ImportedSession): (CallRecord & { end: number; command: string })[] {
  return trace.calls.filter(
    (c): c is CallRecord & { end: number; command: string } =>
      c.end !== undefined && c.command !== undefined && c.envelope !== true && c.end > c.start,
  );
}

/** The session's commands one by one: what each held above what the session held outside of calls, and its CPU. */
export function callsOf(trace: ImportedSession, { speed, scale }: TraceOptions): ShapedCall[] {
  const samples = trace.samples.filter(wholeSession);
  const calls = commandsOf(trace);
  const outside = samples.filter((s) => !calls.some((c) => s.t >= c.start && s.t <= c.end));
  const baseline =
    quantile(
      (outside.length > 0 ? outside : samples).map((s) => s.memoryBytes),
      0.5,
    ) ?? 0;
  const used = cpuOf(samples);
  let free = trace.session.activeStart ?? trace.session.start;
  return calls.map((call) => {
    const after = Math.max(0, call.start - free) / speed;
    free = Math.max(free, call.end);
    const shape: Point[] = [];
    samples.forEach((s, i) => {
      if (s.t < call.start || s.t > call.end) return;
      const anon = Math.max(0, s.memoryBytes - baseline) * scale;
      shape.push({ at: (s.t - call.start) / speed, anon, file: 0, cpu: used[i + 1] ?? 0 });
    });
    const last = shape.at(-1) ?? { anon: UNSEEN_BYTES, file: 0, cpu: 0 };
    shape.push({ ...last, at: (call.end - call.start) / speed });
    // one process cannot use more than one CPU
    const workers = Math.max(1, Math.ceil(Math.max(...shape.map((p) => p.cpu)) - 0.1));
    return { ...bare, workers, after, command: standIn[commandClass(call.command)], shape: simplified(shape) };
  });
}

/** The session's commands as they were, to be really executed in `cwd`. */
export function liveCallsOf(trace: ImportedSession, speed: number, cwd: string): LiveCall[] {
  let free = trace.session.activeStart ?? trace.session.start;
  return commandsOf(trace).map((call) => {
    const after = Math.max(0, call.start - free) / speed;
    free = Math.max(free, call.end);
    return { after, live: call.command, cwd };
  });
}

/** CPUs in use up to each sample. Imported percentages are averages since the container's start: their differences are the use. */
function cpuOf(samples: readonly SampleRecord[]): number[] {
  const start = samples[0]?.t ?? 0;
  const total = samples.map((s) =>
    s.cpuUsec !== undefined ? s.cpuUsec / 1000 : ((s.cpuLifetimePercent ?? 0) / 100) * (s.t - start),
  );
  return samples.map((s, i) => {
    const before = samples[i - 1];
    if (!before || s.t <= before.t) return 0;
    return Math.min(64, Math.max(0, Math.round(((total[i]! - total[i - 1]!) / (s.t - before.t)) * 100) / 100));
  });
}

/** Without the points that a straight line tells as well; a slope too gentle to be seen from one to the next is followed all the same. */
function simplified(shape: Point[]): Point[] {
  let kept = shape[0];
  return shape.filter((p, i) => {
    const [before, next] = [shape[i - 1], shape[i + 1]];
    const told =
      before !== undefined &&
      next !== undefined &&
      Math.abs(p.anon - before.anon) < SAME_BYTES &&
      Math.abs(next.anon - p.anon) < SAME_BYTES &&
      Math.abs(p.anon - kept!.anon) < FAR_BYTES &&
      p.cpu === next.cpu;
    if (!told) kept = p;
    return !told;
  });
}
