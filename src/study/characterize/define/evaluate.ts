import type { AnswerRow, Store } from '../store.ts';
import type { Correlation, Measure, Over, RowMeasure, Share, Source, Statistic, Text } from './definition.ts';

/** One number (or text) with what is behind it. */
export interface Value {
  value: number | string | null;
  /** Rows it was computed from, and sessions they belong to. */
  n: number;
  sessions: number;
  /** Of the rows' values (for shares: of the sessions' own shares). */
  spread?: { min: number; p25: number; median: number; p75: number; max: number };
  /** Tasks with the lowest and highest value. */
  lowest?: string;
  highest?: string;
  /** Why there is no value. */
  reason?: string;
}

/** The name under which all sets together are given. */
export const everything = 'all';

/** The measure for every set, and for all of them together. Sets without rows are absent. `sets` in the order given. */
export async function evaluate(store: Store, measure: Measure, sets: readonly string[]): Promise<Map<string, Value>> {
  if (measure.kind === 'quotient') {
    const bottom = await evaluate(store, measure.bottom, sets);
    const top = await evaluate(store, measure.top, sets);
    return new Map([...top].map(([set, t]) => [set, divided(t, bottom.get(set))]));
  }
  if (measure.kind === 'between-sets') {
    const values = await evaluate(store, measure.of, sets);
    const [first, second] = sets.map((s) => values.get(s));
    return first && second ? new Map([[everything, divided(first, second)]]) : new Map();
  }
  return rowValues(store, measure);
}

function divided(top: Value, bottom: Value | undefined): Value {
  const counts = { n: top.n, sessions: top.sessions };
  if (typeof top.value !== 'number' || typeof bottom?.value !== 'number' || bottom.value === 0)
    return { value: null, ...counts, reason: 'one side of the quotient has no value' };
  return { value: top.value / bottom.value, ...counts };
}

/** Answers by store: the two forms of a finding often share a measure, and the rows no longer change. */
const answers = new WeakMap<Store, Map<string, Promise<Map<string, Value>>>>();

function answersOf(store: Store): Map<string, Promise<Map<string, Value>>> {
  const known = answers.get(store) ?? new Map<string, Promise<Map<string, Value>>>();
  answers.set(store, known);
  return known;
}

function rowValues(store: Store, measure: RowMeasure): Promise<Map<string, Value>> {
  const known = answersOf(store);
  const sql = sqlOf(measure);
  const answer = known.get(sql) ?? store.rows(sql).then(valuesOf);
  known.set(sql, answer);
  return answer;
}

/** Measures asked together. The memory of a result is only given back when its JavaScript object is collected. */
const together = 8;

/** Answers many measures with few queries, ahead of `evaluate`. Those over samples, which are large, are left to it. */
export async function prepare(store: Store, measures: readonly Measure[]): Promise<void> {
  const known = answersOf(store);
  const rows = measures.flatMap(rowMeasures).filter((m) => m.kind !== 'text' && m.from !== 'samples_used');
  const queries = [...new Set(rows.map(sqlOf))].filter((sql) => !known.has(sql));
  for (let from = 0; from < queries.length; from += together) {
    const batch = queries.slice(from, from + together);
    const answer = await store.rows(
      batch.map((sql, k) => `SELECT ${k} AS k, * FROM (${sql})`).join(' UNION ALL BY NAME '),
    );
    for (const [k, sql] of batch.entries())
      known.set(sql, Promise.resolve(valuesOf(answer.filter((row) => row.k === k))));
  }
}

function rowMeasures(measure: Measure): RowMeasure[] {
  if (measure.kind === 'quotient') return [...rowMeasures(measure.top), ...rowMeasures(measure.bottom)];
  return measure.kind === 'between-sets' ? rowMeasures(measure.of) : [measure];
}

function valuesOf(rows: readonly AnswerRow[]): Map<string, Value> {
  const values = new Map<string, Value>();
  for (const row of rows) {
    const v = row.value;
    const known = typeof v === 'boolean' ? Number(v) : v;
    const value = typeof known === 'string' || (typeof known === 'number' && Number.isFinite(known)) ? known : null;
    const [p25, median, p75] = Array.isArray(row.quartiles) ? (row.quartiles as number[]) : [];
    const spread = { min: row.v_min, p25, median, p75, max: row.v_max };
    const complete = Object.values(spread).every((x) => typeof x === 'number' && Number.isFinite(x));
    values.set(String(row.set_name ?? everything), {
      value,
      n: Number(row.n),
      sessions: Number(row.sessions),
      ...(complete && { spread: spread as NonNullable<Value['spread']> }),
      ...(typeof row.lowest === 'string' && { lowest: row.lowest }),
      ...(typeof row.highest === 'string' && { highest: row.highest }),
      ...(value === null && { reason: 'the rows have no such value' }),
    });
  }
  return values;
}

function sqlOf(measure: RowMeasure): string {
  switch (measure.kind) {
    case 'over':
      return overSql(measure);
    case 'share':
      return shareSql(measure);
    case 'correlation':
      return correlationSql(measure);
    case 'text':
      return textSql(measure);
  }
}

const where = (condition: string | undefined) => (condition ? `WHERE ${condition}` : '');
/** Every set, and all together (set_name null, which the view of images has of itself). */
const grouped = (from: Source) => (from === 'images' ? 'GROUP BY set_name' : 'GROUP BY GROUPING SETS ((set_name), ())');

function statisticSql(statistic: Statistic): string {
  switch (statistic) {
    case 'mean':
      return 'avg(v)';
    case 'median':
      return 'quantile_cont(v, 0.5)';
    case 'cv':
      return '100 * stddev_samp(v) / avg(v)';
    case 'spread':
      return 'max(v) / min(v)';
    case 'at-max':
      return 'arg_max(v, largest)';
    case 'min':
    case 'max':
    case 'sum':
    case 'count':
      return `${statistic}(v)`;
    default:
      return `quantile_cont(v, ${Number(statistic.slice(1)) / 100})`;
  }
}

const spreadSql = `min(v) AS v_min, quantile_cont(v, [0.25, 0.5, 0.75]) AS quartiles, max(v) AS v_max,
  arg_min(task, v) AS lowest, arg_max(task, v) AS highest`;

function overSql(m: Over): string {
  // a total has no spread worth its cost
  const total = m.statistic === 'sum' || m.statistic === 'count';
  return `SELECT set_name, ${statisticSql(m.statistic)} AS value, count(v) AS n, count(DISTINCT id) AS sessions${total ? '' : `, ${spreadSql}`}
    FROM (SELECT set_name, id, task, (${m.value})::DOUBLE AS v${m.by ? `, ${m.by} AS largest` : ''} FROM ${m.from} ${where(m.where)})
    WHERE v IS NOT NULL AND isfinite(v) ${grouped(m.from)} HAVING count(v) > 0`;
}

function shareSql(m: Share): string {
  return `WITH per AS (
      SELECT set_name, id, task, sum(a) AS a, sum(b) AS b, count(*) AS rows FROM (
        SELECT set_name, id, task, (${m.part})::DOUBLE AS a, (${m.of})::DOUBLE AS b FROM ${m.from} ${where(m.where)})
      WHERE a IS NOT NULL AND b IS NOT NULL GROUP BY ALL)
    SELECT set_name, ${m.times} * sum(a) / nullif(sum(b), 0) AS value, sum(rows) AS n, count(*) AS sessions, ${spreadSql}
    FROM (SELECT *, ${m.times} * a / nullif(b, 0) AS v FROM per) ${grouped(m.from)} HAVING sum(b) > 0`;
}

function correlationSql(m: Correlation): string {
  return `SELECT set_name, corr(y, x) AS value, count(*) AS n, count(DISTINCT id) AS sessions
    FROM (SELECT set_name, id, (${m.x})::DOUBLE AS x, (${m.y})::DOUBLE AS y FROM ${m.from} ${where(m.where)})
    WHERE x IS NOT NULL AND y IS NOT NULL ${grouped(m.from)} HAVING count(*) > 2`;
}

function textSql(m: Text): string {
  return `SELECT set_name, ${m.value} AS value, count(*) AS n, count(DISTINCT id) AS sessions
    FROM ${m.from} ${where(m.where)} ${grouped(m.from)} HAVING count(*) > 0`;
}
