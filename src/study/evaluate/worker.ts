/** Makes runs on the machine it is on: a guest of the lab, or the host itself with --here. */
import { execFileSync } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { availableParallelism, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { armNamed, type Host } from './arms/index.ts';
import { executeRun } from './execute.ts';
import { checkMachine } from './node.ts';
import { hashOf, type PlannedSession } from './scenario.ts';
import { type Environment, Plan, type PlannedRun, type Run, type Scenario } from './types.ts';

export const RAW_FILE = 'runs.ndjson';

/** What a worker is to do, beside the runs: `todo.json`. */
export const Todo = z.object({
  scenarios: z.array(z.unknown()),
  runs: Plan.shape.runs,
  /** The sessions of each run, by their place in `planned`. */
  sessions: z.array(z.number().int()),
  planned: z.array(z.unknown()),
  lab: z.object({ accelerator: z.string(), deterministicClock: z.boolean() }).nullable(),
  swapBytes: z.number(),
});
export type Todo = z.infer<typeof Todo>;

/** Told before and after each run. */
export interface Progress {
  started(run: PlannedRun): void;
  ended(run: PlannedRun, result: Run): void;
}

/**
 * Makes the runs that `todo.json` in `dir` names and adds each to the raw file there as soon as it is over. Aborted, it throws when
 * the present run has ended and everything of it is removed.
 */
export async function work(dir: string, host: Host, progress: Progress, signal?: AbortSignal): Promise<void> {
  checkMachine();
  const todo = Todo.parse(JSON.parse(readFileSync(join(dir, 'todo.json'), 'utf8')));
  // as it was read, so that sizes and durations are numbers by now
  const scenarios = new Map(todo.scenarios.map((s) => [(s as Scenario).name, s as Scenario]));
  // the shell's files belong into the page cache of nobody's session
  execFileSync('/bin/bash', ['-c', ':']);
  const raw = openSync(join(dir, RAW_FILE), 'a');
  try {
    for (const [i, planned] of todo.runs.entries()) {
      signal?.throwIfAborted();
      const scenario = scenarios.get(planned.scenario)!;
      const arm = armNamed(planned.arm);
      progress.started(planned);
      const sessions = todo.planned[todo.sessions[i]!] as PlannedSession[];
      const environment = environmentOf(todo, scenario, host);
      const run = await executeRun({
        ...{ scenario, planned, sessions, arm, host, environment },
        hash: hashOf(scenario),
        cacheDir: dir,
      });
      writeSync(raw, `${JSON.stringify(run)}\n`);
      fdatasyncSync(raw);
      progress.ended(planned, run);
    }
  } finally {
    closeSync(raw);
  }
}

function environmentOf(todo: Todo, scenario: Scenario, host: Host): Environment {
  const thp = readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8');
  return {
    kernel: release(),
    where: todo.lab ? 'lab' : 'here',
    accelerator: todo.lab?.accelerator ?? 'none',
    deterministicClock: todo.lab?.deterministicClock ?? false,
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    swapBytes: todo.swapBytes,
    hugePages: todo.lab ? scenario.node.hugePages : (/\[(\w+)\]/.exec(thp)?.[1] ?? 'unknown'),
    node: process.version,
    agentcgroup: host.version,
    program: host.program,
  };
}
