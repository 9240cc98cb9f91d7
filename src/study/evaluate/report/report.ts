/** From raw runs to a report. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AcgError } from '../../../model/index.ts';
import { csv, svgOf } from '../../report/index.ts';
import { type ArmInfo, Plan, type Run, readRuns, type Scenario } from '../index.ts';
import { tableOf } from './judge.ts';
import { allFigures, experimentsOf, page, type ReportData } from './page.ts';
import { besideSimulation } from './simulated.ts';

export interface WrittenReport {
  report: string;
  results: string;
  data: ReportData;
}

/**
 * Judges the runs of `runsFile` (`runs.ndjson`; `plan.json` beside it says which commands made them) and writes `report.html`,
 * `results.json` and `figures/*.svg` and `.csv` into `outDir`, which is made. Can be called while runs are still added.
 * Throws ACG_USAGE when there is not one run.
 */
export async function report(
  runsFile: string,
  outDir: string,
  options: { arms?: readonly ArmInfo[] } = {},
): Promise<WrittenReport> {
  const plan = planBeside(runsFile);
  const data = judge(readRuns(runsFile), plan, options.arms ?? []);
  if (data.experiments.length === 0) throw new AcgError('ACG_USAGE', `${runsFile}: no runs to report on`);
  for (const table of data.experiments.flatMap((e) => e.tables)) {
    const planned = plan?.scenarios.find(({ hash }) => [...table.runs, ...table.broken][0]!.scenarioHash === hash);
    // the plan keeps scenarios as they were checked
    const beside = planned && (await besideSimulation(table, planned.scenario as Scenario));
    if (beside) table.beside = beside;
  }
  const figures = allFigures(data);
  await mkdir(join(outDir, 'figures'), { recursive: true });
  for (const f of [...figures.values()].flat()) {
    const svg = svgOf(f, 840);
    if (svg === null) continue;
    await writeFile(join(outDir, 'figures', `${f.id}.svg`), svg);
    await writeFile(join(outDir, 'figures', `${f.id}.csv`), csv(f));
  }
  const results = join(outDir, 'results.json');
  await writeFile(results, `${JSON.stringify(resultsOf(data))}\n`);
  const path = join(outDir, 'report.html');
  await writeFile(path, page(data, figures));
  return { report: path, results, data };
}

/**
 * All tables of these runs. Of a scenario that has changed between runs only those of its latest form count: the plan knows it
 * (the clocks of guests run ahead, so times are asked only without one). Pure.
 */
export function judge(runs: readonly Run[], plan: Plan | undefined, arms: readonly ArmInfo[]): ReportData {
  const latest = new Map<string, string>();
  for (const r of runs.toSorted((a, b) => (a.startedAt < b.startedAt ? -1 : 1))) latest.set(r.scenario, r.scenarioHash);
  for (const { hash, scenario } of plan?.scenarios ?? []) {
    const { name } = scenario as Scenario;
    if (runs.some((r) => r.scenario === name && r.scenarioHash === hash)) latest.set(name, hash);
  }
  // in the order of the plan, whichever guest was first
  const current = runs.filter((r) => latest.get(r.scenario) === r.scenarioHash).toSorted((a, b) => a.order - b.order);
  const groups = Map.groupBy(current, (r) => `${r.scenario}\t${r.variant ?? ''}`);
  return {
    experiments: experimentsOf([...groups.values()].map(tableOf)),
    arms,
    commands: plan ? [`agentcgroup ${plan.command.join(' ')}`] : [],
    outdated: runs.length - current.length,
  };
}

function planBeside(runsFile: string): Plan | undefined {
  const path = join(dirname(runsFile), 'plan.json');
  return existsSync(path) ? Plan.safeParse(JSON.parse(readFileSync(path, 'utf8'))).data : undefined;
}

/** Everything in the report as data: no raw runs, those are beside it. */
function resultsOf(data: ReportData): object {
  return {
    schema: 1,
    commands: data.commands,
    outdated: data.outdated,
    experiments: data.experiments.map((e) => ({
      ...e,
      tables: e.tables.map(({ runs, broken, ...t }) => ({
        ...t,
        runs: runs.length,
        broken: broken.map((r) => ({ arm: r.arm, run: r.run, why: r.broken })),
        environments: [...new Map(runs.map((r) => [JSON.stringify(r.environment), r.environment])).values()],
        seeds: [...new Set(runs.map((r) => r.seed))],
      })),
    })),
  };
}
