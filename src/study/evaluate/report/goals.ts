/** What was promised of control, and whether these runs show it. Pure. */
import { average, contrast } from '../../statistics/index.ts';
import { type Cell, leastBlocks, type Table } from './judge.ts';

export interface Goal {
  arm: string;
  what: string;
  found: string;
  /** The whole interval keeps it; the whole interval misses it; or neither can be said, as with too few runs for a verdict. */
  kept: 'kept' | 'missed' | 'not shown';
}

/** Bounds of the project's goals. */
const HIGH_WITHIN = 1.05;
const LOW_WITHIN = 1.25;
const OVERLAP = 80;
const GROWTH = 0.71;

/** For each kind of control, peers too. Scenarios with no HIGH have only the first. */
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
  const least =
    share && share.low > 0 ? `; such runs are at least ${(100 * share.low).toFixed(0)} % (95 %, Wilson)` : '';
  const found = share ? `${runs} of ${of} runs${least}` : 'no run counts';
  const kept = runs < of ? 'missed' : of < leastBlocks ? 'not shown' : 'kept';
  return { arm, what: 'no agent lost', found, kept };
}

function bound(arm: string, c: Cell, what: string, unit: string, keeps: (v: number) => boolean): Goal[] {
  if (c.of === 0) return [];
  const missing = c.of - c.n;
  if (!c.mean) return missing === c.of ? [] : [{ arm, what, found: `only ${c.n} run with a value`, kept: 'not shown' }];
  const { value, low, high } = c.mean;
  // hundredths of a time alone, tenths of a per cent
  const shown = (v: number) => v.toFixed(unit === '%' ? 1 : 2);
  const range = shown(low) === shown(high) ? '' : ` (${shown(low)} to ${shown(high)})`;
  const found = `${shown(value)} ${unit}${range}, ${c.n} of ${c.of} runs${missing > 0 ? '; the others did not get there' : ''}`;
  const all = keeps(low) && keeps(high) && missing === 0;
  const none = !keeps(low) && !keeps(high);
  return [{ arm, what, found, kept: c.n < leastBlocks ? 'not shown' : all ? 'kept' : none ? 'missed' : 'not shown' }];
}

/** Growth latency of HIGH against no control, as a ratio of means over the blocks that have both. */
function growth(table: Table, arm: string): Goal[] {
  const values = (a: string) => table.cells.find((c) => c.measure === 'growth_p95' && c.arm === a)?.values ?? [];
  const none = values('none');
  const blocks = values(arm).flatMap(({ run, value }) => {
    const other = none.find((v) => v.run === run);
    return other ? [[value, other.value] as const] : [];
  });
  if (blocks.length < 2) return [];
  const [own, others] = [blocks.map((b) => b[0]), blocks.map((b) => b[1])];
  const ratio = contrast(own, others, average, { paired: true, ratio: true });
  const per = (v: number) => `${v < 1 ? '' : '+'}${(100 * (v - 1)).toFixed(0)} %`;
  const found = `${average(own).toFixed(2)} against ${average(others).toFixed(2)} ms per MiB, ${per(ratio.value)} (${per(ratio.low)} to ${per(ratio.high)})`;
  const kept =
    blocks.length < leastBlocks
      ? 'not shown'
      : ratio.high <= GROWTH
        ? 'kept'
        : ratio.low > GROWTH
          ? 'missed'
          : 'not shown';
  return [{ arm, what: 'growth latency p95 of HIGH at least 29 % below no control', found, kept }];
}
