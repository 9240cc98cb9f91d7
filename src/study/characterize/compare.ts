import { quantileOfSorted, seeded } from '../statistics/index.ts';
import type { Definition, Over, Share } from './define/definition.ts';
import type { Finding } from './findings.ts';
import type { Store } from './store.ts';

/** One figure of two sets, and how sure the difference is. Sound forms only. */
export interface Difference {
  id: string;
  part: string;
  title: string;
  unit: string;
  a: number;
  b: number;
  /** b - a. */
  difference: number;
  /** 95 % interval of the difference; null where it was not computed. */
  low: number | null;
  high: number | null;
  /** Why there is no interval. */
  reason?: string;
  sessions: { a: number; b: number };
}

const rounds = 1000;
/** Resampling this many rows a thousand times is still quick; beyond, a median gets no interval. */
const mostRows = 20_000;

/**
 * Every finding of set `a` against set `b`. Intervals are percentile bootstraps (Efron 1979) that draw whole sessions, not
 * rows: the calls of one session are not independent of each other.
 */
export async function compare(
  store: Store,
  definitions: readonly Definition[],
  found: readonly Finding[],
  a: string,
  b: string,
  seed: number,
): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (const definition of definitions) {
    const finding = found.find((f) => f.id === definition.id);
    for (const [part, measure] of Object.entries(definition.sound.parts)) {
      const va = finding?.detail[a]?.sound[part];
      const vb = finding?.detail[b]?.sound[part];
      if (typeof va?.value !== 'number' || typeof vb?.value !== 'number') continue;
      const interval =
        measure.kind === 'over' || measure.kind === 'share'
          ? await intervalOf(store, measure, a, b, seed)
          : { low: null, high: null, reason: 'not a statistic of single sessions' };
      differences.push({
        id: definition.id,
        part: part === 'value' ? '' : part,
        title: definition.title,
        unit: definition.unit,
        a: va.value,
        b: vb.value,
        difference: vb.value - va.value,
        ...interval,
        sessions: { a: va.sessions, b: vb.sessions },
      });
    }
  }
  return differences;
}

interface Interval {
  low: number | null;
  high: number | null;
  reason?: string;
}

/** What each session contributes: numerator and denominator, or its values. */
type Contribution = { a: number; b: number } | number[];

async function intervalOf(store: Store, m: Over | Share, a: string, b: string, seed: number): Promise<Interval> {
  if (m.kind === 'over' && ['sum', 'count', 'min', 'max', 'spread', 'at-max'].includes(m.statistic))
    return { low: null, high: null, reason: 'totals and extremes depend on how many sessions there are: no interval' };
  const [left, right] = [await contributions(store, m, a), await contributions(store, m, b)];
  if (!left || !right) return { low: null, high: null, reason: `more than ${mostRows} rows: no interval` };
  if (left.length < 5 || right.length < 5) return { low: null, high: null, reason: 'fewer than five sessions' };
  const random = seeded(seed);
  const statistic = m.kind === 'share' ? (c: Contribution[]) => m.times * ratio(c) : statisticOf(m);
  const differences = new Float64Array(rounds);
  let kept = 0;
  for (let i = 0; i < rounds; i++) {
    const d = statistic(draw(right, random)) - statistic(draw(left, random));
    if (Number.isFinite(d)) differences[kept++] = d;
  }
  if (kept < rounds / 2) return { low: null, high: null, reason: 'most resamples have no value' };
  const sorted = differences.subarray(0, kept).sort();
  return { low: quantileOfSorted(sorted, 0.025), high: quantileOfSorted(sorted, 0.975) };
}

function draw<T>(from: readonly T[], random: () => number): T[] {
  return Array.from(from, () => from[Math.floor(random() * from.length)]!);
}

function ratio(contributions: readonly Contribution[]): number {
  let a = 0;
  let b = 0;
  for (const c of contributions)
    if (!Array.isArray(c)) {
      a += c.a;
      b += c.b;
    }
  return a / b;
}

function statisticOf(m: Over): (c: Contribution[]) => number {
  return (contributions) => {
    if (m.statistic === 'mean') return ratio(contributions);
    const values = Float64Array.from(contributions.flatMap((c) => (Array.isArray(c) ? c : []))).sort();
    if (!values.length) return Number.NaN;
    if (m.statistic === 'cv') {
      const mean = values.reduce((x, y) => x + y, 0) / values.length;
      const variance = values.reduce((x, y) => x + (y - mean) ** 2, 0) / (values.length - 1);
      return (100 * Math.sqrt(variance)) / mean;
    }
    return quantileOfSorted(values, m.statistic === 'median' ? 0.5 : Number(m.statistic.slice(1)) / 100);
  };
}

/** Null when there are too many rows for a statistic that needs them all. */
async function contributions(store: Store, m: Over | Share, set: string): Promise<Contribution[] | null> {
  const where = m.where ? `AND (${m.where})` : '';
  if (m.kind === 'share' || m.statistic === 'mean') {
    const [part, of] = m.kind === 'share' ? [m.part, m.of] : [m.value, '1'];
    const rows = await store.rows(
      `SELECT sum(a) AS a, sum(b) AS b FROM (SELECT id, (${part})::DOUBLE AS a, (${of})::DOUBLE AS b FROM ${m.from} WHERE set_name = $1 ${where})
       WHERE a IS NOT NULL AND b IS NOT NULL GROUP BY id ORDER BY id`,
      [set],
    );
    return rows.map((r) => ({ a: Number(r.a), b: Number(r.b) }));
  }
  const rows = await store.rows(
    `SELECT id, v FROM (SELECT id, (${m.value})::DOUBLE AS v FROM ${m.from} WHERE set_name = $1 ${where})
     WHERE v IS NOT NULL AND isfinite(v) ORDER BY id, v LIMIT ${mostRows + 1}`,
    [set],
  );
  if (rows.length > mostRows) return null;
  return [...Map.groupBy(rows, (r) => r.id).values()].map((own) => own.map((r) => Number(r.v)));
}
