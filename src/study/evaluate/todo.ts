/** What a worker is told: the runs, their scenarios and, planned here where the data sets are, their sessions. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { planSessions } from './scenario.ts';
import { sourceFor } from './source.ts';
import type { PlannedRun, Scenario } from './types.ts';
import type { Todo } from './worker.ts';

export async function writeTodo(
  dir: string,
  options: { scenarios: Scenario[]; datasetDir: string | null },
  runs: PlannedRun[],
  lab: Todo['lab'],
  swapBytes: number,
): Promise<void> {
  const used = options.scenarios.filter((s) => runs.some((r) => r.scenario === s.name));
  const source = sourceFor(options.datasetDir);
  // most runs have the same sessions
  const planned = new Map<string, number>();
  const sessions: number[] = [];
  for (const run of runs) {
    const scenario = used.find((s) => s.name === run.scenario)!;
    const text = JSON.stringify(await planSessions(scenario, run.variant, run.seed, source));
    if (!planned.has(text)) planned.set(text, planned.size);
    sessions.push(planned.get(text)!);
  }
  const todo: Todo = {
    scenarios: used,
    runs,
    sessions,
    planned: [...planned.keys()].map((t) => JSON.parse(t)),
    lab,
    swapBytes,
  };
  writeFileSync(join(dir, 'todo.json'), JSON.stringify(todo));
}
