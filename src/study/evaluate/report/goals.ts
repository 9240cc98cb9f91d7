/** What was promised of control, and whether these runs show it. Pure. */
import type { Cell, Table } from './judge.ts';

export interface Goal {
  arm: string;
  what: string;
  found: string;
  /** The whole interval keeps it; the whole interval misses it; or neither can be said. */
  kept: 'kept' | 'missed' | 'not shown';
}

/** Bounds of the project's goals. */
const HIGH_WITHIN = 1.05;
const LOW_WITHIN = 1.25;
const OVERLAP = 80;
const GROWTH = 0.71;

/** For each arm of ours; peers are held to the same in the report's table. Scenarios with no HIGH have only the first. */
export function goalsOf(table: Table): Goal[] {
  return table.arms
    .filter((a) => a !== 'alone' && a !== 'none')
    .flatMap((arm) => {
      const cell = (id: string) => table.cells.find((c) => c.measure === id && c.arm === arm)!;
      return [
        safety(table, arm),
        ...bound(
          arm,
          cell('overlap'),
          `HIGH and LOW overlap for at least ${OVERLAP} % of the time they could`,
          '%',
          (v) => v >= OVERLAP,
        ),
        ...bound(arm, cell('high_over_alone'), 'HIGH within 5 % of running alone', 'x', (v) => v <= HIGH_WITHIN),
        ...bound(arm, cell('low_over_alone'), 'LOW at most 1.25 times its time alone', 'x', (v) => v <= LOW_WITHIN),
        ...growth(table, arm),
      ];
    });
}

function safety(table: Table, arm: string): Goal {
  const { runs, of, share } = table.safe.find((s) => s.arm === arm)!;
  const found = share
    ? `${runs} of ${of} runs; such runs are at least ${(100 * share.low).toFixed(0)} % (95 %, Wilson)`
    : 'no run counts';
  return { arm, what: 'no agent lost', found, kept: of === 0 ? 'not shown' : runs === of ? 'kept' : 'missed' };
}

function bound(arm: string, c: Cell, what: string, unit: string, keeps: (v: number) => boolean): Goal[] {
  if (c.of === 0) return [];
  const missing = c.of - c.n;
  if (!c.mean) return missing === c.of ? [] : [{ arm, what, found: `only ${c.n} run with a value`, kept: 'not shown' }];
  const { value, low, high } = c.mean;
  const found = `${value.toFixed(2)} ${unit} (${low.toFixed(2)} to ${high.toFixed(2)}), ${c.n} of ${c.of} runs${missing > 0 ? '; the others did not get there' : ''}`;
  const all = keeps(low) && keeps(high);
  return [
    {
      arm,
      what,
      found,
      kept: all ? (missing > 0 ? 'not shown' : 'kept') : !keeps(low) && !keeps(high) ? 'missed' : 'not shown',
    },
  ];
}

/** Growth latency of HIGH against no control, as a ratio of means. */
function growth(table: Table, arm: string): Goal[] {
  const mean = (a: string) => table.cells.find((c) => c.measure === 'growth_p95' && c.arm === a)?.mean?.value;
  const verdict = table.verdicts.find((v) => v.measure === 'growth_p95' && v.arm === arm && v.other === 'none');
  const [own, none] = [mean(arm), mean('none')];
  if (own === undefined || none === undefined || !verdict) return [];
  const what = 'growth latency p95 of HIGH at least 29 % below no control';
  const found = `${own.toFixed(2)} against ${none.toFixed(2)} ms per MiB, ${(100 * (own / none - 1)).toFixed(0)} %`;
  const kept =
    own <= GROWTH * none && verdict.finding === 'better'
      ? 'kept'
      : verdict.finding === 'worse'
        ? 'missed'
        : 'not shown';
  return [{ arm, what, found, kept }];
}
