import type { Definition, Form, Measure, RowMeasure, Topic } from './define/definition.ts';
import { evaluate, everything, prepare, type Value } from './define/evaluate.ts';
import type { Store } from './store.ts';

/** A number, a text, or several under names; null where the data cannot say. */
export type Figure = number | string | null | Record<string, number | string | null>;

/** A definition with what it gives for every set. */
export interface Finding {
  id: string;
  topic: Topic;
  title: string;
  unit: string;
  definition: { paper: string | null; sound: string };
  /** Why the two forms differ. */
  difference: string;
  /** By set; `all` is all sets together. Null: the paper has no such figure. */
  paper: Record<string, Figure> | null;
  sound: Record<string, Figure>;
  /** Rows behind the sound value, by set. */
  n: Record<string, number>;
  detail: Record<string, { paper?: Record<string, Value>; sound: Record<string, Value> }>;
}

/** Evaluates definitions over the store. `sets` in the order in which they were given. */
export async function findings(
  store: Store,
  definitions: readonly Definition[],
  sets: readonly string[],
  onDone?: (done: number, of: number) => void,
): Promise<Finding[]> {
  const found: Finding[] = [];
  await prepare(
    store,
    definitions.flatMap((d) => [d.paper, d.sound].flatMap((form) => Object.values(form?.parts ?? {}))),
  );
  for (const [i, definition] of definitions.entries()) {
    found.push(await finding(store, definition, sets));
    onDone?.(i + 1, definitions.length);
  }
  return found;
}

async function finding(store: Store, d: Definition, sets: readonly string[]): Promise<Finding> {
  const columns = columnsOf(d, sets);
  const paper = d.paper && (await formValues(store, d.paper, sets, columns));
  const sound = await formValues(store, d.sound, sets, columns);
  const detail: Finding['detail'] = {};
  for (const set of columns) detail[set] = { ...(paper && { paper: paper[set]! }), sound: sound[set]! };
  return {
    id: d.id,
    topic: d.topic,
    title: d.title,
    unit: d.unit,
    definition: { paper: d.paper?.rule ?? null, sound: d.sound.rule },
    difference: d.difference,
    paper: paper && Object.fromEntries(columns.map((set) => [set, figureOf(paper[set]!)])),
    sound: Object.fromEntries(columns.map((set) => [set, figureOf(sound[set]!)])),
    n: Object.fromEntries(columns.map((set) => [set, Math.max(0, ...Object.values(sound[set]!).map((v) => v.n))])),
    detail,
  };
}

/** One set alone needs no "all". */
export function columnsOf(d: Pick<Definition, 'only'>, sets: readonly string[]): string[] {
  if (d.only === 'all') return [everything];
  return d.only === 'sets' || sets.length < 2 ? [...sets] : [...sets, everything];
}

async function formValues(
  store: Store,
  form: Form,
  sets: readonly string[],
  columns: readonly string[],
): Promise<Record<string, Record<string, Value>>> {
  const bySet: Record<string, Record<string, Value>> = Object.fromEntries(columns.map((c) => [c, {}]));
  for (const [part, measure] of Object.entries(form.parts)) {
    const values = await evaluate(store, measure, sets);
    for (const column of columns) bySet[column]![part] = values.get(column) ?? missing(measure);
  }
  return bySet;
}

export function figureOf(parts: Record<string, Value>): Figure {
  const names = Object.keys(parts);
  return names.length === 1 && names[0] === 'value'
    ? parts.value!.value
    : Object.fromEntries(names.map((name) => [name, parts[name]!.value]));
}

const missing = (measure: Measure): Value => ({ value: null, n: 0, sessions: 0, reason: whyNot(measure) });

/** What the data would have needed to have. */
function whyNot(measure: Measure): string {
  if (measure.kind === 'between-sets') return 'this needs two sets with tasks in common';
  const m: RowMeasure = measure.kind === 'quotient' ? leftmost(measure.top) : measure;
  if (/\bcommon\b/.test(m.where ?? '')) return 'no task is in more than one set';
  switch (m.from) {
    case 'samples_used':
      return 'no samples of that kind';
    case 'calls_used':
      return 'no tool calls of that kind';
    case 'bursts_used':
      return 'no bursts';
    case 'groups_used':
      return 'no three commands in a row';
    case 'images':
      return 'no image sizes recorded';
    case 'runs':
      return 'no task was run more than once';
    case 'tasks_between_sets':
      return 'no task is in more than one set';
    default:
      return 'not recorded in these sessions';
  }
}

function leftmost(measure: Measure): RowMeasure {
  if (measure.kind === 'quotient') return leftmost(measure.top);
  return measure.kind === 'between-sets' ? leftmost(measure.of) : measure;
}
