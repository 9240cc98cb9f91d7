/**
 * What a finding is. Each is small and says in words what it divides by what, over which rows, in which unit; the
 * expressions are SQL over the tables of `tables.ts`, so the words can be checked against them and run by anyone.
 */

/** The views a measure can read (see `store.ts`). */
export type Source =
  | 'tasks_used'
  | 'samples_used'
  | 'calls_used'
  | 'bursts_used'
  | 'groups_used'
  | 'images'
  | 'runs'
  | 'tasks_between_sets'
  | 'tasks';

export type Statistic = 'mean' | 'median' | 'min' | 'max' | 'sum' | 'count' | 'cv' | 'spread' | 'at-max' | `p${number}`;

/** A statistic of one value per row. `value` null leaves the row out. */
export interface Over {
  kind: 'over';
  from: Source;
  value: string;
  where?: string;
  statistic: Statistic;
  /** For `at-max`: the value in the row in which this is largest. */
  by?: string;
}

/** Sum of `part` over sum of `of`, times `times` (100 for per cent). Both per row; spread is over tasks. */
export interface Share {
  kind: 'share';
  from: Source;
  part: string;
  of: string;
  where?: string;
  times: number;
}

/** Pearson's correlation of two values over rows. */
export interface Correlation {
  kind: 'correlation';
  from: Source;
  x: string;
  y: string;
  where?: string;
}

/** Text: an aggregate expression over rows. */
export interface Text {
  kind: 'text';
  from: Source;
  value: string;
  where?: string;
}

/** One measure divided by another, set by set. */
export interface Quotient {
  kind: 'quotient';
  top: Measure;
  bottom: Measure;
}

/** The measure for the first set over that for the second, in the order in which the sets were given. */
export interface BetweenSets {
  kind: 'between-sets';
  of: Measure;
}

export type RowMeasure = Over | Share | Correlation | Text;
export type Measure = RowMeasure | Quotient | BetweenSets;

/** One form of a finding: the rule in words, and one measure, or several under names. */
export interface Form {
  rule: string;
  parts: Record<string, Measure>;
}

export interface Definition {
  id: string;
  topic: Topic;
  title: string;
  unit: string;
  /** As the paper defines it. Null: the paper has no such figure. */
  paper: Form | null;
  /** What we stand by. The same object as `paper` where the paper's rule is sound. */
  sound: Form;
  /** Why the two differ, in words. Empty where they do not. */
  difference: string;
  /** Only over all sets together, or only per set; by default both. */
  only?: 'all' | 'sets';
}

export type Topic =
  | 'setting'
  | 'time'
  | 'tools'
  | 'cpu'
  | 'memory'
  | 'bursts'
  | 'change'
  | 'calls'
  | 'retries'
  | 'relations'
  | 'provisioning'
  | 'evaluation';

export const over = (from: Source, statistic: Statistic, value: string, where?: string): Over => ({
  kind: 'over',
  from,
  statistic,
  value,
  ...(where !== undefined && { where }),
});

/** The value in the row (session, call, ...) in which `by` is largest. */
export const atMax = (from: Source, value: string, by: string): Over => ({
  kind: 'over',
  from,
  statistic: 'at-max',
  value,
  by,
});

/** Per cent: sum of `part` over sum of `of`. */
export const percent = (from: Source, part: string, of: string, where?: string): Share => ({
  kind: 'share',
  from,
  part,
  of,
  times: 100,
  ...(where !== undefined && { where }),
});

/** Per cent of rows for which `condition` holds. */
export const shareOfRows = (from: Source, condition: string, where?: string): Share =>
  percent(from, `(${condition})::INTEGER`, '1', where);

export const quotient = (top: Measure, bottom: Measure): Quotient => ({ kind: 'quotient', top, bottom });

export const one = (rule: string, measure: Measure): Form => ({ rule, parts: { value: measure } });
export const many = (rule: string, parts: Record<string, Measure>): Form => ({ rule, parts });
