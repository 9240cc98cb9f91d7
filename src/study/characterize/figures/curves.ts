import { type Curve, steps } from '../../report/index.ts';
import type { Source } from '../define/definition.ts';
import type { Store } from '../store.ts';

/** Distribution of a value for each set, as quantiles: bounded however many rows there are. `by` other than the set. */
export async function curves(
  store: Store,
  from: Source,
  value: string,
  where = 'true',
  by = 'set_name',
): Promise<Curve[]> {
  const rows = await store.rows(
    `SELECT g, quantile_cont(v, [${steps.join(', ')}]) AS at, count(v) AS n, count(DISTINCT id) AS sessions FROM (
       SELECT ${by} AS g, id, (${value})::DOUBLE AS v FROM ${from} WHERE ${where}) WHERE v IS NOT NULL AND isfinite(v) AND g IS NOT NULL
     GROUP BY g ORDER BY g`,
  );
  return rows.map((r) => ({
    set: String(r.g),
    n: Number(r.n),
    sessions: Number(r.sessions),
    at: (r.at as unknown as number[]).map(Number),
  }));
}

/** Sets in the order in which they were given. */
export const inOrder = (found: readonly Curve[], sets: readonly string[]): Curve[] =>
  sets.flatMap((s) => found.find((c) => c.set === s) ?? []);
