import { AcgError } from '../../model/index.ts';
import { collect } from './collect.ts';
import { compare, type Difference } from './compare.ts';
import { type ContrastRow, contrast, type MismatchRow, mismatches } from './contrast.ts';
import { definitions } from './define/index.ts';
import { tableDefinitions } from './define/tables.ts';
import { type Derived, derive } from './derived.ts';
import { evaluationFindings } from './evaluation.ts';
import { type Finding, findings } from './findings.ts';
import { type Gathered, gather, type Input, type LeftOut } from './gather.ts';
import { defaultThresholds, type Filter, type Thresholds } from './measure/session.ts';
import type { Store } from './store.ts';
import type { TaskRow } from './tables.ts';

export interface StudyOptions {
  thresholds?: Partial<Thresholds>;
  filter?: Filter;
  /** Of every random draw: the same seed gives the same study. */
  seed?: number;
  /** Memory of the node that sessions are packed on; by default the largest limit the sessions ran under. */
  nodeBytes?: number;
  /** Names of the two sets to set against each other. */
  compare?: readonly [string, string];
  onProgress?: (text: string) => void;
}

export interface SetFacts {
  name: string;
  sessions: number;
  used: number;
  models: string;
  sources: string;
}

/** Everything the study found; also what `--json` and `findings.json` hold (there `findings` is keyed by id). */
export interface Study {
  sets: SetFacts[];
  thresholds: Thresholds;
  seed: number;
  nodeBytes: number;
  findings: Finding[];
  contrast: ContrastRow[];
  mismatches: MismatchRow[];
  derived: Derived;
  comparison: { a: string; b: string; differences: Difference[] } | null;
  leftOut: LeftOut[];
  gathered: Gathered;
}

/** Used where no session says under which limit it ran. */
const fallbackNode = 128 * 2 ** 30;

/**
 * Reads, measures and defines: the whole study except its pictures, over a store the caller owns (and may query further).
 * Throws ACG_TRACE_EMPTY when there is no usable session, ACG_USAGE for a comparison of sets that are not there.
 */
export async function study(store: Store, inputs: readonly Input[], options: StudyOptions = {}): Promise<Study> {
  const thresholds = { ...defaultThresholds, ...options.thresholds };
  const seed = options.seed ?? 1;
  const say = options.onProgress ?? (() => {});
  const evaluated = (await Promise.all(inputs.map((i) => evaluationFindings(i.path)))).find((e) => e !== null) ?? [];
  const gathered = await gather(store, inputs, {
    thresholds,
    seed,
    ...(options.filter && { filter: options.filter }),
    onSession: (n, name) => say(`session ${n}: ${name}`),
  });
  for (const name of options.compare ?? [])
    if (!gathered.sets.includes(name))
      throw new AcgError('ACG_USAGE', `no set "${name}" to compare; there are: ${gathered.sets.join(', ')}`);
  collect();
  const defined = [...definitions(thresholds), ...(await tableDefinitions(store))];
  const found = await findings(store, defined, gathered.sets, (done, of) => say(`finding ${done} of ${of}`));
  const nodeBytes = options.nodeBytes ?? (await largestLimit(store)) ?? fallbackNode;
  say('simulating a node');
  const derived = await derive(store, found, {
    sets: gathered.sets,
    courses: gathered.courses,
    seed,
    nodeMb: nodeBytes / 1e6,
  });
  const all = [...found, ...derived.findings, ...evaluated];
  if (options.compare) say('comparing');
  return {
    sets: await setFacts(store, gathered.sets),
    thresholds,
    seed,
    nodeBytes,
    findings: all,
    contrast: contrast(all, gathered.sets),
    mismatches: mismatches(all, derived, gathered.sets),
    derived,
    comparison: options.compare
      ? {
          a: options.compare[0],
          b: options.compare[1],
          differences: await compare(store, defined, all, ...options.compare, seed),
        }
      : null,
    leftOut: gathered.leftOut,
    gathered,
  };
}

async function largestLimit(store: Store): Promise<number | undefined> {
  const [row] = await store.rows('SELECT max(limit_mb) AS mb FROM tasks_used');
  return typeof row?.mb === 'number' && row.mb > 0 ? row.mb * 1e6 : undefined;
}

async function setFacts(store: Store, sets: readonly string[]): Promise<SetFacts[]> {
  const rows = await store.rows(
    `SELECT set_name, count(*) AS sessions, sum(used::INTEGER) AS used, string_agg(DISTINCT model, ', ' ORDER BY model) AS models,
       string_agg(DISTINCT source, ', ' ORDER BY source) AS sources FROM tasks GROUP BY set_name`,
  );
  return sets.map((name) => {
    const row = rows.find((r) => r.set_name === name)!;
    return {
      name,
      sessions: Number(row.sessions),
      used: Number(row.used),
      models: String(row.models ?? 'not recorded'),
      sources: String(row.sources),
    };
  });
}

/** Each session's own figures, one at a time. */
export async function* taskFigures(store: Store): AsyncGenerator<TaskRow> {
  const step = 2000;
  for (let from = 0; ; from += step) {
    const rows = await store.rows(`SELECT * FROM tasks WHERE id >= ${from} AND id < ${from + step} ORDER BY id`);
    if (!rows.length) return;
    for (const row of rows) yield row as unknown as TaskRow;
  }
}
