/** What the runs of one scenario show: each arm's figures, and pair by pair a verdict in plain language. Pure. */
import {
  average,
  bootstrap,
  contrast,
  type Estimate,
  holm,
  permutationTest,
  proportion,
} from '../../statistics/index.ts';
import type { Run } from '../index.ts';
import { type Measure, measures } from './measures.ts';
import type { Beside } from './simulated.ts';

/** One measure of one arm over its runs. */
export interface Cell {
  measure: string;
  arm: string;
  /** Runs that have a value, and runs that count. */
  n: number;
  of: number;
  /** Mean with a 95 % bootstrap interval; null with fewer than two values. */
  mean: Estimate | null;
  /** One for each of the n, by block. */
  values: { run: number; value: number }[];
}

export type Finding = 'better' | 'worse' | 'none' | 'too few';

export interface Verdict {
  measure: string;
  /** `arm` against `other`. */
  arm: string;
  other: string;
  /** Blocks in which both have a value. */
  n: number;
  /** arm less other, in the measure's unit; 95 % interval of paired blocks. */
  difference: Estimate | null;
  /** Paired permutation test, and the same after Holm's correction over the scenario's table. */
  p: number | null;
  adjusted: number | null;
  finding: Finding;
  text: string;
}

export interface Table {
  scenario: string;
  variant: number | null;
  arms: string[];
  runs: Run[];
  broken: Run[];
  cells: Cell[];
  verdicts: Verdict[];
  /** Blocks it takes before any difference can pass Holm's correction over this table's comparisons; 0: nothing is compared. */
  blocksNeeded: number;
  /** Runs without a lost agent, by arm: Wilson's interval over runs. */
  safe: { arm: string; runs: number; of: number; share: Estimate | null }[];
  /** The same scenario in the simulator, where it can be had there. */
  beside?: Beside[];
}

/** Fewer blocks cannot reach p = 0.05 even alone: 2 of 2^5 sign patterns are 0.0625. */
export const leastBlocks = 6;
const LEVEL = 0.05;

/** All runs of one scenario and variant. */
export function tableOf(runs: readonly Run[]): Table {
  const good = runs.filter((r) => r.broken === null && r.measures !== null);
  const arms = armsInOrder(runs.map((r) => r.arm));
  const of = (arm: string) => good.filter((r) => r.arm === arm).toSorted((a, b) => a.run - b.run);
  const alone = of('alone');
  const cells = measures.flatMap((m) => arms.map((arm) => cellOf(m, arm, of(arm), alone)));
  return {
    scenario: runs[0]!.scenario,
    variant: runs[0]!.variant,
    arms,
    runs: [...good],
    broken: runs.filter((r) => !good.includes(r)),
    cells,
    ...verdictsOf(arms, cells),
    safe: arms.map((arm) => {
      const own = good.filter((r) => r.arm === arm);
      const kept = own.filter((r) => r.measures!.agentsLost === 0).length;
      return { arm, runs: kept, of: own.length, share: proportion(kept, own.length) };
    }),
  };
}

const isOurs = (arm: string): boolean => arm.startsWith('agentcgroup');

/** The references first, ours last. */
export function armsInOrder(names: readonly string[]): string[] {
  const rank = (a: string) => (a === 'alone' ? 0 : a === 'none' ? 1 : isOurs(a) ? 3 : 2);
  return [...new Set(names)].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

function cellOf(m: Measure, arm: string, runs: readonly Run[], alone: readonly Run[]): Cell {
  const known = (all: readonly Run[]) =>
    all.flatMap((r) => {
      const value = m.of(r);
      return value === null ? [] : [{ run: r.run, value }];
    });
  const cell = { measure: m.id, arm, of: runs.length };
  const values = known(runs);
  const own = values.map((v) => v.value);
  if (!m.overAlone) return { ...cell, n: own.length, mean: own.length < 2 ? null : bootstrap(own, average), values };
  const base = known(alone).map((v) => v.value);
  if (base.length === 0) return { ...cell, n: 0, mean: null, values: [] };
  const unit = average(base);
  return {
    ...cell,
    n: own.length,
    mean:
      own.length < 2 || base.length < 2 ? null : contrast(own, base, average, { ratio: true, paired: arm === 'alone' }),
    values: values.map((v) => ({ run: v.run, value: v.value / unit })),
  };
}

/** Ours against every other arm but the reference, and every other arm against none. */
export function pairsOf(arms: readonly string[]): [string, string][] {
  const real = arms.filter((a) => a !== 'alone');
  const ours = real
    .filter(isOurs)
    .flatMap((a) => real.filter((b) => b !== a && !(isOurs(b) && b < a)).map((b): [string, string] => [a, b]));
  const others = real
    .filter((a) => a !== 'none' && !isOurs(a) && real.includes('none'))
    .map((a): [string, string] => [a, 'none']);
  return [...ours, ...others];
}

function verdictsOf(arms: readonly string[], cells: readonly Cell[]): Pick<Table, 'verdicts' | 'blocksNeeded'> {
  const judged = measures.filter((m) => m.better);
  const raw = pairsOf(arms).flatMap(([arm, other]) =>
    judged.map((m) => {
      const of = (name: string) => cells.find((c) => c.measure === m.id && c.arm === name)!;
      return { m, arm, other, ...compare(of(arm), of(other)) };
    }),
  );
  const tested = raw.filter((r) => r.p !== null);
  const adjusted = holm(tested.map((r) => r.p!));
  // the smallest p of n pairs is 2 of 2^n sign patterns, and it is multiplied by the number of tests
  const blocksNeeded = tested.length === 0 ? 0 : Math.ceil(Math.log2((2 * tested.length) / LEVEL));
  const verdicts = raw.map(({ m, arm, other, n, difference, p, missing }) => {
    const own = p === null ? null : adjusted[tested.findIndex((t) => t.m === m && t.arm === arm && t.other === other)]!;
    const clear = own !== null && own <= LEVEL && difference !== null && (difference.low > 0 || difference.high < 0);
    const finding: Finding =
      p === null ? 'too few' : !clear ? 'none' : difference!.value > 0 === (m.better === 'more') ? 'better' : 'worse';
    const found = { measure: m.id, arm, other, n, difference, p, adjusted: own, finding };
    return { ...found, text: inWords(m, found, missing) };
  });
  return { verdicts, blocksNeeded };
}

function compare(a: Cell, b: Cell): { n: number; difference: Estimate | null; p: number | null; missing: number } {
  const blocks = a.values.flatMap((v) => {
    const w = b.values.find((x) => x.run === v.run);
    return w ? [[v.value, w.value] as const] : [];
  });
  const [x, y] = [blocks.map((p) => p[0]), blocks.map((p) => p[1])];
  const missing = Math.max(a.of, b.of) - blocks.length;
  if (blocks.length < leastBlocks) return { n: blocks.length, difference: null, p: null, missing };
  const { p } = permutationTest(x, y, { paired: true });
  return { n: blocks.length, difference: contrast(x, y, average, { paired: true }), p, missing };
}

/** A number of that unit, for people. */
const digits = (v: number): string => {
  const size = Math.abs(v);
  return size >= 100 ? v.toFixed(0) : size >= 10 ? v.toFixed(1) : String(Number(v.toPrecision(2)));
};

function inWords(m: Measure, v: Omit<Verdict, 'text'>, missing: number): string {
  const who = `${m.title}: ${v.arm} against ${v.other}`;
  const left = missing > 0 ? `, ${missing} blocks left out for want of a value in one of the two` : '';
  if (v.finding === 'too few')
    return v.n === 0
      ? `${who}: cannot be compared, no block of runs has a value in both${left}.`
      : `${who}: too few runs (${v.n} blocks; ${leastBlocks} are the least)${left}.`;
  const d = v.difference!;
  const sure = `p ${v.adjusted! < 0.001 ? '< 0.001' : `= ${v.adjusted!.toFixed(3)}`}, n = ${v.n}`;
  if (v.finding === 'none')
    return `${who}: no difference shown (95 % interval ${digits(d.low)} to ${digits(d.high)} ${m.unit}, ${sure})${left}.`;
  // what is less is so by its size, the interval too
  const [word, value, low, high] =
    d.value > 0 ? (['more', d.value, d.low, d.high] as const) : (['less', -d.value, -d.high, -d.low] as const);
  return `${who}: ${v.finding}, ${word} by ${digits(value)} ${m.unit} (95 % interval ${digits(low)} to ${digits(high)}, ${sure})${left}.`;
}
