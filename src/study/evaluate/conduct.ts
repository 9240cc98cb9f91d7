/** The experiment as a whole: what is missing of the plan is made, in the lab or here; interrupted, it goes on where it was. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type LabOptions, type LabResult, runInLab, SHARE_PATH } from '../../lab/index.ts';
import { AcgError } from '../../model/index.ts';
import { armNamed, type Host } from './arms/index.ts';
import { fetchPeer } from './peers.ts';
import { keyOf, makePlan, missing, type PlanOptions, readRuns } from './plan.ts';
import { hashOf, planSessions } from './scenario.ts';
import { sourceFor } from './source.ts';
import type { Plan, PlannedRun, Run, Scenario } from './types.ts';
import { type Progress, RAW_FILE, type Todo, work } from './worker.ts';

export interface ExperimentOptions extends PlanOptions {
  scenarios: Scenario[];
  out: string;
  where: 'lab' | 'here';
  /** The guest's clock counts instructions. */
  deterministic: boolean;
  datasetDir: string | null;
  host: Host;
  /** The words that start a worker in the guest, told the folder as their last one. */
  workerCommand: string[];
  /** The command line, for the record. */
  command: string[];
  signal?: AbortSignal;
  say(text: string): void;
  onProgress(done: number, of: number, secondsLeft: number | undefined, last: Run | undefined): void;
}

/** What the guest needs beside the node: kernel, file cache, the runner, daemons. */
const GUEST_EXTRA_BYTES = 1536 * 2 ** 20;
/**
 * An emulated `rep stosb` counts as one instruction a byte, so that clearing a page, and with it every growth, would seem many times
 * dearer than it is; without ERMS the kernel clears by eight bytes.
 */
const EMULATED_ARGUMENTS = ['clearcpuid=erms,fsrm'];
/** Runs of one boot: a guest that dies takes only the run it was at along, but memory of a long life is no memory of ours. */
const RUNS_PER_BOOT = 60;
/** A guest that dies so often without finishing a run is not booted again. */
const DEATHS_AT_MOST = 3;

/** Makes what is missing and returns all runs that the plan names. */
export async function conduct(options: ExperimentOptions): Promise<Run[]> {
  const { scenarios, out, where } = options;
  mkdirSync(out, { recursive: true });
  const plan = makePlan(scenarios, options);
  writePlan(options, plan);
  for (const name of new Set(plan.map((r) => r.arm))) {
    const { runs: peer } = armNamed(name);
    if (peer) await fetchPeer(peer, options.say);
  }
  const raw = join(out, RAW_FILE);
  const wanted = new Set(plan.map(keyOf));
  const hashes = new Set(scenarios.map(hashOf));
  const made = () => readRuns(raw).filter((r) => wanted.has(keyOf(r)) && hashes.has(r.scenarioHash));
  const clock = new Clock(options, plan.length, made().length);
  const progress: Progress = { started: () => {}, ended: (_, run) => clock.ended(run) };
  if (where === 'here') {
    await writeTodo(options, missing(plan, made(), scenarios), null, 0);
    await work(out, options.host, progress);
  } else {
    let deaths = 0;
    for (;;) {
      const left = missing(plan, made(), scenarios);
      if (left.length === 0) break;
      const before = left.length;
      await boot(options, nextBoot(left, scenarios), clock).catch((error: Error) => {
        if (options.signal?.aborted) throw error;
        options.say(`the guest died: ${error.message.split('\n')[0]}`);
      });
      if (missing(plan, made(), scenarios).length < before) deaths = 0;
      else if (++deaths >= DEATHS_AT_MOST)
        throw new AcgError(
          'ACG_EVALUATE',
          `${deaths} guests died before they had finished a run (${keyOf(left[0]!).replaceAll('\t', ' ')})`,
        );
    }
  }
  rmSync(join(out, 'todo.json'), { force: true });
  return made();
}

/** The next runs that one guest can make: those on a machine of the same kind, in the plan's order. */
function nextBoot(left: PlannedRun[], scenarios: readonly Scenario[]): PlannedRun[] {
  const kind = (run: PlannedRun) => {
    const { cpus, swap } = scenarios.find((s) => s.name === run.scenario)!.node;
    return `${cpus} ${swap}`;
  };
  return left.filter((run) => kind(run) === kind(left[0]!)).slice(0, RUNS_PER_BOOT);
}

async function boot(options: ExperimentOptions, runs: PlannedRun[], clock: Clock): Promise<LabResult> {
  const { scenarios, out, deterministic } = options;
  const used = scenarios.filter((s) => runs.some((r) => r.scenario === s.name));
  const { cpus, swap } = used[0]!.node;
  writeTodo(
    options,
    runs,
    { accelerator: deterministic ? 'tcg' : 'as the lab chose', deterministicClock: deterministic },
    swap,
  );
  const lines = new Lines((line) => clock.heard(line));
  const limit = runs.reduce(
    (sum, r) => sum + 120_000 + 2 * used.find((s) => s.name === r.scenario)!.timeLimit,
    300_000,
  );
  const lab: LabOptions = {
    argv: [...options.workerCommand, SHARE_PATH],
    memoryBytes: Math.max(...used.map((s) => s.node.memory)) + GUEST_EXTRA_BYTES,
    cpus,
    swapBytes: swap,
    deterministic,
    ...(deterministic && { kernelArguments: EMULATED_ARGUMENTS }),
    timeoutMs: limit,
    env: process.env.XDG_CACHE_HOME ? { XDG_CACHE_HOME: process.env.XDG_CACHE_HOME } : {},
    share: out,
    onStdout: (chunk) => lines.push(chunk),
    onStderr: (chunk) => options.say(chunk.toString().trimEnd()),
    onNotice: options.say,
    ...(options.signal && { signal: options.signal }),
  };
  const result = await runInLab(lab);
  if (result.exitCode !== 0)
    throw new AcgError('ACG_EVALUATE', `the worker ended with ${result.exitCode ?? result.signal}`);
  return result;
}

function writePlan(options: ExperimentOptions, runs: PlannedRun[]): void {
  const plan: Plan = {
    version: 1,
    createdAt: new Date().toISOString(),
    command: options.command,
    scenarios: options.scenarios.map((s) => ({ hash: hashOf(s), scenario: s })),
    runs,
  };
  writeFileSync(join(options.out, 'plan.json'), JSON.stringify(plan, null, 2));
}

async function writeTodo(
  options: ExperimentOptions,
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
  writeFileSync(join(options.out, 'todo.json'), JSON.stringify(todo));
}

/** Counts runs and guesses the time left from those made since it began. */
class Clock {
  readonly #options: ExperimentOptions;
  readonly #of: number;
  readonly #before: number;
  readonly #begin = performance.now();
  #done: number;

  constructor(options: ExperimentOptions, of: number, done: number) {
    this.#options = options;
    this.#of = of;
    this.#before = done;
    this.#done = done;
    options.onProgress(done, of, undefined, undefined);
  }

  ended(run: Run | undefined): void {
    this.#done++;
    const each = (performance.now() - this.#begin) / (this.#done - this.#before);
    this.#options.onProgress(this.#done, this.#of, ((this.#of - this.#done) * each) / 1000, run);
  }

  /** A line of a worker in the guest: a run is in the raw file. */
  heard(line: string): void {
    const key = /^run (.*)$/.exec(line)?.[1];
    if (key === undefined) this.#options.say(line);
    else this.ended(readRuns(join(this.#options.out, RAW_FILE)).find((r) => keyOf(r) === key));
  }
}

class Lines {
  #rest = '';
  readonly #take: (line: string) => void;

  constructor(take: (line: string) => void) {
    this.#take = take;
  }

  push(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString()).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) this.#take(line);
  }
}
