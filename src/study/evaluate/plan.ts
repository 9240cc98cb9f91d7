/** Which runs are to be made, in which order; and which of them are there already. */
import { existsSync, readFileSync, truncateSync } from 'node:fs';
import { AcgError } from '../../model/index.ts';
import { seeded } from '../statistics/index.ts';
import { hashOf } from './scenario.ts';
import { type PlannedRun, Run, type Scenario } from './types.ts';

export interface PlanOptions {
  /** In place of the scenarios' own. */
  arms?: readonly string[] | undefined;
  runs?: number | undefined;
  seed?: number | undefined;
}

/**
 * All runs, block after block: a block is one repetition of one scenario (and variant) with every arm once, in an order drawn from
 * the seed, so that whatever drifts on the machine meets all arms alike. Blocks of the scenarios take turns. Throws ACG_SCENARIO for
 * two scenarios of one name.
 */
export function makePlan(scenarios: readonly Scenario[], options: PlanOptions): PlannedRun[] {
  const plan: PlannedRun[] = [];
  const names = scenarios.map((s) => s.name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  // their runs could not be told apart
  if (twice !== undefined) throw new AcgError('ACG_SCENARIO', `two scenarios are named ${twice}`);
  const most = Math.max(...scenarios.map((s) => options.runs ?? s.runs));
  for (let run = 0; run < most; run++)
    for (const scenario of scenarios) {
      if (run >= (options.runs ?? scenario.runs)) continue;
      for (const variant of scenario.sweep?.counts ?? [null]) {
        const seed = seedOf(options.seed ?? scenario.seed, run);
        for (const arm of shuffled([...new Set(options.arms ?? scenario.arms)], seed + (variant ?? 0)))
          plan.push({ scenario: scenario.name, variant, arm, run, seed, order: plan.length });
      }
    }
  return plan;
}

/** Multiplied as 32-bit numbers: of a large seed, as a time in milliseconds, a plain product is too coarse for `run` to count. */
const seedOf = (seed: number, run: number): number => Math.floor(seeded(Math.imul(seed, 100_003) + run)() * 2 ** 31);

function shuffled<T>(list: readonly T[], seed: number): T[] {
  const random = seeded(seed);
  const found = [...list];
  for (let i = found.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [found[i], found[j]] = [found[j]!, found[i]!];
  }
  return found;
}

type Key = Pick<PlannedRun, 'scenario' | 'variant' | 'arm' | 'run'>;
export const keyOf = ({ scenario, variant, arm, run }: Key): string => [scenario, variant ?? '', arm, run].join('\t');

/**
 * The runs in a raw file, the later of two of the same key; a last line that a crash has torn is left out. Throws ACG_EVALUATE with
 * the line that is no run.
 */
export function readRuns(file: string): Run[] {
  if (!existsSync(file)) return [];
  const found = new Map<string, Run>();
  const lines = readFileSync(file, 'utf8').split('\n');
  lines.forEach((line, i) => {
    if (line === '') return;
    let run: Run;
    try {
      run = Run.parse(JSON.parse(line));
    } catch (cause) {
      if (i === lines.length - 1) return;
      const why = (cause as Error).message.split('\n')[0];
      throw new AcgError('ACG_EVALUATE', `${file}:${i + 1} is not a run: ${why}`, { cause });
    }
    found.set(keyOf(run), run);
  });
  return [...found.values()];
}

/** Takes off a last line that a crash has torn: what is added next would become part of it. */
export function mendRuns(file: string): void {
  if (!existsSync(file)) return;
  const bytes = readFileSync(file);
  truncateSync(file, bytes.lastIndexOf(10) + 1);
}

/** What of the plan is still to be made; runs of a scenario that has changed since do not count. */
export function missing(
  plan: readonly PlannedRun[],
  done: readonly Run[],
  scenarios: readonly Scenario[],
): PlannedRun[] {
  const hashes = new Map(scenarios.map((s) => [s.name, hashOf(s)]));
  const made = new Set(done.filter((r) => r.scenarioHash === hashes.get(r.scenario)).map(keyOf));
  return plan.filter((run) => !made.has(keyOf(run)));
}
