/** The experiment as a whole: what is missing of the plan is made, in the lab or here; interrupted, it goes on where it was. */
import { appendFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from '../../lab/index.ts';
import { AcgError } from '../../model/index.ts';
import { armNamed, type Host } from './arms/index.ts';
import { GUEST_FOLDER, makeInGuests } from './guests.ts';
import { fetchPeer } from './peers.ts';
import { keyOf, makePlan, mendRuns, missing, type PlanOptions, readRuns } from './plan.ts';
import { hashOf } from './scenario.ts';
import { writeTodo } from './todo.ts';
import type { Plan, PlannedRun, Run, Scenario } from './types.ts';
import { type Progress, RAW_FILE, work } from './worker.ts';

/** Two at once would read and remove each other's guests' folders. */
const LOCK_FILE = '.lock';

export interface ExperimentOptions extends PlanOptions {
  scenarios: Scenario[];
  out: string;
  where: 'lab' | 'here';
  /** Guests at once. */
  jobs: number;
  /** The lab's kernel: `stock`, `memcg-bpf`, or the path of an image. */
  kernel?: string | undefined;
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

/** Makes what is missing and returns all runs that the plan names. Throws ACG_EVALUATE_RUNNING while another does so in the same folder. */
export async function conduct(options: ExperimentOptions): Promise<Run[]> {
  mkdirSync(options.out, { recursive: true });
  return withLock(join(options.out, LOCK_FILE), () => conductAlone(options), {
    refuse: () => new AcgError('ACG_EVALUATE_RUNNING', options.out),
  });
}

async function conductAlone(options: ExperimentOptions): Promise<Run[]> {
  const { scenarios, out, where } = options;
  const plan = makePlan(scenarios, options);
  writePlan(options, plan);
  for (const name of new Set(plan.map((r) => r.arm))) {
    const { runs: peer } = armNamed(name);
    if (peer) await fetchPeer(peer, options.say);
  }
  const raw = join(out, RAW_FILE);
  mendRuns(raw);
  saveLeftovers(out, raw);
  const wanted = new Set(plan.map(keyOf));
  const hashes = new Set(scenarios.map(hashOf));
  const made = () => readRuns(raw).filter((r) => wanted.has(keyOf(r)) && hashes.has(r.scenarioHash));
  const clock = new Clock(options, plan.length, made().length);
  const left = missing(plan, made(), scenarios);
  if (where === 'here') {
    const progress: Progress = { started: () => {}, ended: (_, run) => clock.ended(run) };
    await writeTodo(out, options, left, null, 0);
    await work(out, options.host, progress, options.signal);
    rmSync(join(out, 'todo.json'));
  } else
    await makeInGuests(options, left, (line) => {
      appendFileSync(raw, `${line}\n`);
      clock.ended(JSON.parse(line) as Run);
    });
  return made();
}

/** Runs that guests had finished when the experiment was interrupted. */
function saveLeftovers(out: string, raw: string): void {
  for (const name of readdirSync(out)) {
    if (!name.startsWith(GUEST_FOLDER)) continue;
    // of another form of its scenario it is another run
    const key = (run: Run) => `${keyOf(run)}\t${run.scenarioHash}`;
    const known = new Set(readRuns(raw).map(key));
    for (const run of readRuns(join(out, name, RAW_FILE)))
      if (!known.has(key(run))) appendFileSync(raw, `${JSON.stringify(run)}\n`);
    rmSync(join(out, name), { recursive: true, force: true });
  }
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
}
