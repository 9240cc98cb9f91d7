import { everything } from './define/evaluate.ts';
import type { Derived } from './derived.ts';
import type { Finding } from './findings.ts';
import { type Dimension, dimensions, workloads } from './published.ts';

/** Table 1: what others have published, and the traces at hand, in one row per dimension. */
export interface ContrastRow {
  dimension: string;
  published: { workload: string; source: string; text: string }[];
  /** By set; null where the traces cannot say. */
  ours: Record<string, string | null>;
}

/** One of the three mismatches, as numbers for the traces at hand. */
export interface MismatchRow {
  mismatch: 'granularity' | 'responsiveness' | 'adaptability';
  measure: string;
  unit: string;
  values: Record<string, number | null>;
}

type Lookup = (id: string, set: string, part?: string) => number | null;

/** The sound value of a finding. */
export function lookup(found: readonly Finding[]): Lookup {
  const byId = new Map(found.map((f) => [f.id, f]));
  return (id, set, part = 'value') => {
    const v = byId.get(id)?.detail[set]?.sound[part]?.value;
    return typeof v === 'number' ? v : null;
  };
}

export function contrast(found: readonly Finding[], sets: readonly string[]): ContrastRow[] {
  const get = lookup(found);
  return dimensions.map((d) => ({
    dimension: d.title,
    published: workloads.map((w, i) => ({ workload: w.name, source: w.source, text: d.published[i]! })),
    ours: Object.fromEntries(sets.map((set) => [set, ours(d.key, set, get, found)])),
  }));
}

const text = (value: number | null, digits = 1): string | null =>
  value === null ? null : value.toLocaleString('en', { maximumFractionDigits: digits });

/** All texts or nothing. */
function join(parts: (string | null)[], make: (p: string[]) => string): string | null {
  return parts.every((p) => p !== null) ? make(parts as string[]) : null;
}

function ours(key: Dimension['key'], set: string, get: Lookup, found: readonly Finding[]): string | null {
  switch (key) {
    case 'duration': {
      const spread = found.find((f) => f.id === 'dur.median')?.detail[set]?.sound.value?.spread;
      return spread ? `${text(spread.p25)} - ${text(spread.p75)} min (median ${text(spread.median)})` : null;
    }
    case 'image':
      return join(
        ['min', 'max', 'median'].map((p) => text(get('image.range', set, p))),
        ([a, b, m]) => `${a} - ${b} GiB (median ${m})`,
      );
    case 'state':
      return 'in process';
    case 'footprint': {
      const peaks = found.find((f) => f.id === 'mem.range_cv')?.detail[set]?.sound.max?.spread;
      return join(
        [text(get('mem.baseline', set), 0), peaks ? text(peaks.median, 0) : null, peaks ? text(peaks.max, 0) : null],
        ([i, m, x]) => `${i} MB idle, peaks ${m} (median) to ${x} MB`,
      );
    }
    case 'peak':
      return join(
        [text(get('mem.p2a_144', set, 'median')), text(get('mem.p2a_144', set, 'max'))],
        ([m, x]) => `${m}x median, up to ${x}x`,
      );
    case 'cpu':
      return join(
        [text(get('cpu.mean_all', set)), text(get('cpu.max', set), 0)],
        ([m, x]) => `${m} % mean, peaks to ${x} %`,
      );
    case 'determinism':
      return join([text(get('repeat.dvc777', set, 'ratio'), 2)], ([r]) => `${r}x between runs of one task`);
    case 'pattern':
      return join(
        [text(get('burst.time_share', set)), text(get('burst.leaf', set, 'memory'))],
        ([t, m]) => `bursts: ${m} % of memory burst samples in calls, which are ${t} % of the time`,
      );
    case 'termination':
      return 'all LLM context';
  }
}

export function mismatches(found: readonly Finding[], derived: Derived, sets: readonly string[]): MismatchRow[] {
  const get = lookup(found);
  const groups = sets.length > 1 ? [...sets, everything] : [...sets];
  const row = (
    mismatch: MismatchRow['mismatch'],
    measure: string,
    unit: string,
    value: (set: string) => number | null,
  ): MismatchRow => ({
    mismatch,
    measure,
    unit,
    values: Object.fromEntries(groups.map((set) => [set, value(set)])),
  });
  const d = (set: string) => derived.density.find((x) => x.set === set);
  const p = (set: string, name: string) =>
    derived.predictions.find((x) => x.set === set)?.predictions.find((x) => x.predictor === name);
  return [
    row('granularity', "Memory reserved by a limit at the session's peak and never used", '%', (s) =>
      get('band.unused', s, 'all_sessions'),
    ),
    row('granularity', 'of which a limit per tool call would save at most', '%', (s) =>
      get('band.saved', s, 'all_sessions'),
    ),
    row('granularity', 'Sessions on the node by limits at the peak', 'sessions', (s) => d(s)?.peak.median ?? null),
    row('granularity', 'Sessions on the node by limits per tool call', 'sessions', (s) => d(s)?.band.median ?? null),
    row('granularity', 'Demand of commands, 99th over 50th percentile', 'x', (s) => {
      const [high, middle] = [get('call.demand', s, 'p99'), get('call.demand', s, 'median')];
      return high !== null && middle ? high / middle : null;
    }),
    row('responsiveness', 'Fastest growth of memory', 'MB/s', (s) => get('rate.max', s, 'rate')),
    row('responsiveness', 'Median burst: from idle to the top', 's', (s) => get('burst.rise_time', s, 'median')),
    row('responsiveness', 'Median burst: length', 's', (s) => get('burst.length', s, 'median')),
    ...[...new Set(derived.reactions.map((r) => r.controller))].map((name) =>
      row(
        'responsiveness',
        `Bursts at their top before a ${name} acts (${derived.reactions.find((r) => r.controller === name)!.reaction_s} s)`,
        '%',
        (s) => derived.reactions.find((r) => r.set === s && r.controller === name)?.topped ?? null,
      ),
    ),
    row(
      'adaptability',
      'Sessions with a command over the limit its class predicts (95 % asked for)',
      '%',
      (s) => p(s, 'by class')?.sessionsOver ?? null,
    ),
    row(
      'adaptability',
      'Memory such limits reserve, over memory needed',
      'x',
      (s) => p(s, 'by class')?.reserved ?? null,
    ),
    row(
      'adaptability',
      'What knowing class and history gains over one limit for all',
      '%',
      (s) => p(s, 'class and last time')?.skill ?? null,
    ),
    row('adaptability', 'Peak memory across tasks, coefficient of variation', '%', (s) => get('mem.range_cv', s, 'cv')),
    row('adaptability', 'Same task run again: longest over shortest', 'x', (s) => get('repeat.dvc777', s, 'ratio')),
    row('adaptability', 'Output tokens and peak memory', 'r', (s) => get('corr.tokens_peak', s)),
  ];
}
