import { basename, resolve } from 'node:path';
import { AcgError, asAcgError } from '../../model/index.ts';
import { type ImportedSession, openTraces } from '../../trace/index.ts';
import { everything } from './define/evaluate.ts';
import type { Course } from './measure/course.ts';
import { Reservoir } from './measure/course.ts';
import { type Filter, measureSession, paperFilter, type Thresholds } from './measure/session.ts';
import type { Store } from './store.ts';

/** Where sessions come from. Without a set name, each session says itself to which data set it belongs. */
export interface Input {
  path: string;
  set?: string;
}

export interface LeftOut {
  what: string;
  why: string;
  count: number;
}

export interface Gathered {
  /** In the order in which they came. */
  sets: string[];
  sessions: number;
  used: number;
  leftOut: LeftOut[];
  courses: Course[];
}

export interface GatherOptions {
  thresholds: Thresholds;
  /** Which sessions count; by default the paper's rule for its data set and everything for recorded sessions. */
  filter?: Filter;
  seed: number;
  onSession?: (sessions: number, name: string) => void;
}

/** Sessions whose course is kept for the simulation of a node. */
const courses = 1000;
/** Kinds of things left out that are named; beyond, they are only counted. */
const named = 200;

/** Measures all sessions of the inputs into the store, one at a time. Throws ACG_TRACE_EMPTY when none is usable. */
export async function gather(store: Store, inputs: readonly Input[], options: GatherOptions): Promise<Gathered> {
  const sets: string[] = [];
  const seen = new Set<string>();
  const leftOut = new Map<string, LeftOut>();
  const leave = (what: string, why: string, count = 1) => {
    const known = leftOut.get(why);
    if (known) known.count += count;
    else if (leftOut.size < named) leftOut.set(why, { what, why, count });
  };
  const kept = new Reservoir<Course>(courses, options.seed);
  let sessions = 0;
  let used = 0;
  for (const input of inputs) {
    for await (const imported of opened(input, leave)) {
      const key = `${resolve(imported.path)}#${imported.session.session}`;
      if (seen.has(key)) {
        leave(imported.path, 'the same session was given twice');
        continue;
      }
      seen.add(key);
      const set = setOf(input, imported);
      if (!sets.includes(set)) sets.push(set);
      const filter = options.filter ?? (imported.session.source === 'dataset' ? paperFilter : undefined);
      const measured = measureSession(imported, { id: sessions, set, thresholds: options.thresholds, filter });
      const { task } = measured;
      store.append('tasks', [task]);
      store.append('samples', measured.samples);
      store.append('calls', measured.calls);
      store.append('bursts', measured.bursts);
      store.append('command_groups', measured.groups);
      sessions++;
      if (task.used) {
        used++;
        if (measured.course.t.length > 1) kept.offer({ set, task: task.task!, ...measured.course });
      } else leave(imported.path, whyUnused(imported, filter));
      for (const f of imported.report.leftOut) leave(`${imported.path}: ${f.where}`, f.why, f.count);
      options.onSession?.(sessions, task.task!);
    }
  }
  if (!used)
    throw new AcgError(
      'ACG_TRACE_EMPTY',
      sessions
        ? `${sessions} sessions read, none counts: ${[...leftOut.values()]
            .map((l) => l.why)
            .slice(0, 3)
            .join('; ')}. Lower --min-samples and --min-seconds to use them`
        : inputs.map((i) => i.path).join(', '),
    );
  await store.finish(sets);
  return { sets, sessions, used, leftOut: [...leftOut.values()], courses: kept.items };
}

/** A set's own name must not be that of all sets together. */
function setOf(input: Input, { session }: ImportedSession): string {
  const name = input.set ?? session.dataset ?? basename(input.path).replace(/\.(ndjson|jsonl)(\.gz|\.zst)?$/, '');
  return name === everything ? `${name}_` : name;
}

/** An input without sessions is left out as long as another one has some. */
async function* opened(input: Input, leave: (what: string, why: string) => void): AsyncGenerator<ImportedSession> {
  try {
    yield* openTraces([input.path], { onSkip: (path, why) => leave(path, why) });
  } catch (error) {
    if (asAcgError(error).code !== 'ACG_TRACE_EMPTY') throw error;
    leave(input.path, 'no session in it');
  }
}

function whyUnused({ session, samples }: ImportedSession, filter: Filter | undefined): string {
  if (session.lastAttempt === false)
    return 'not the last attempt at its task (used for the comparison of attempts only)';
  if (filter && samples.length < filter.minSamples) return `fewer than ${filter.minSamples} samples`;
  return `sampled for less than ${filter?.minSeconds} s`;
}
