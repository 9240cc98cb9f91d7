/** Runs made in guests of the lab, several guests at once, each with a folder of its own to write to. */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fairEmulator, LabFailure, type LabOptions, runInLab, SHARE_PATH } from '../../lab/index.ts';
import { AcgError } from '../../model/index.ts';
import { armNamed } from './arms/index.ts';
import type { ExperimentOptions } from './conduct.ts';
import { PAUSE_MS, SAMPLE_MS } from './execute.ts';
import { findPeer } from './peers.ts';
import { withResident } from './resident.ts';
import { hashOf } from './scenario.ts';
import { writeTodo } from './todo.ts';
import type { PlannedRun, Run, Scenario } from './types.ts';
import { RAW_FILE } from './worker.ts';

/** The folder of guest n is this and n, in the experiment's folder. */
export const GUEST_FOLDER = '.guest-';
/** What the guest needs beside the node: kernel, file cache, the runner, daemons. */
const GUEST_EXTRA_BYTES = 1536 * 2 ** 20;
/**
 * An emulated `rep stosb` counts as one instruction a byte, so that clearing a page, and with it every growth, would seem many times
 * dearer than it is; without ERMS the kernel clears by eight bytes.
 */
const EMULATED_ARGUMENTS = ['clearcpuid=erms,fsrm'];
/** Runs of one boot. A guest that dies takes only the run it was at along, but memory of a long life is no memory of ours. */
const RUNS_PER_BOOT = 100;
/** When so many guests in a row die before they have finished a run, no more are booted. */
const DEATHS_AT_MOST = 3;

/** `left`: in the plan's order. Each finished run is given to `keep`, as its line. */
export async function makeInGuests(
  options: ExperimentOptions,
  left: PlannedRun[],
  keep: (line: string) => void,
): Promise<void> {
  // what ends one guest's loop for good ends the others too
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  let deaths = 0;
  const most = runsPerBoot(left, options);
  const guest = async (number: number): Promise<void> => {
    const dir = join(options.out, `${GUEST_FOLDER}${number}`);
    while (left.length > 0 && !signal.aborted) {
      const runs = takeBoot(left, options, most);
      let [begun, finished] = [0, 0];
      try {
        const take = (line: string) => {
          finished++;
          deaths = 0;
          keep(line);
        };
        await boot({ ...options, signal }, runs, dir, () => begun++, take);
      } catch (error) {
        if (signal.aborted || !isDeath(error)) throw error;
        const why = error.message.split('\n')[0]!;
        options.say(`a guest died: ${why}`);
        // the run it was at is broken, and shown as that; the others are still to be made
        const at = begun > finished ? runs[finished] : undefined;
        if (at) keep(JSON.stringify(brokenRun(options, at, `the guest died: ${why}`)));
        left.unshift(...runs.slice(at ? finished + 1 : finished));
        if (++deaths >= DEATHS_AT_MOST)
          throw new AcgError('ACG_EVALUATE', `${deaths} guests in a row died before they had finished a run: ${why}`);
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    }
  };
  const guests = Array.from({ length: options.jobs }, (_, n) => guest(n));
  await Promise.all(guests).catch(async (error) => {
    stop.abort(error);
    await Promise.allSettled(guests);
    throw error;
  });
}

/** The guest or its worker came to an end of its own; all else (no data set, no kernel, a package missing) is no run's fault. */
const isDeath = (error: unknown): error is AcgError =>
  error instanceof LabFailure || (error instanceof AcgError && error.code === 'ACG_EVALUATE');

const scenarioOf = (run: PlannedRun, scenarios: readonly Scenario[]) => scenarios.find((s) => s.name === run.scenario)!;

/** What a guest must be like for a run. */
const kindOf = (run: PlannedRun, scenarios: readonly Scenario[]): string => {
  const { cpus, swap } = scenarioOf(run, scenarios).node;
  return `${cpus} ${swap}`;
};

/**
 * How many runs of each kind one boot takes: equal parts, as many for each guest, so that all end at about the same time. A boot
 * costs as much as two or three runs, which a last few small ones would pay for nothing.
 */
export function runsPerBoot(
  left: readonly PlannedRun[],
  { scenarios, jobs }: Pick<ExperimentOptions, 'scenarios' | 'jobs'>,
): Map<string, number> {
  const runs = new Map<string, number>();
  for (const run of left) {
    const kind = kindOf(run, scenarios);
    runs.set(kind, (runs.get(kind) ?? 0) + 1);
  }
  return new Map([...runs].map(([kind, n]) => [kind, Math.ceil(n / (jobs * Math.ceil(n / (jobs * RUNS_PER_BOOT))))]));
}

/** Takes the next runs that one guest can make: those on a machine of the same kind, at most as many as `most` says. */
export function takeBoot(
  left: PlannedRun[],
  { scenarios }: Pick<ExperimentOptions, 'scenarios'>,
  most: ReadonlyMap<string, number>,
): PlannedRun[] {
  const wanted = kindOf(left[0]!, scenarios);
  const taken: PlannedRun[] = [];
  for (let i = 0; i < left.length && taken.length < most.get(wanted)!; )
    if (kindOf(left[i]!, scenarios) === wanted) taken.push(...left.splice(i, 1));
    else i++;
  return taken;
}

/** What is started in the guest: the worker's Node.js, the agents' shell, the arms' daemons. */
function programsOf(runs: readonly PlannedRun[]): string[] {
  const peers = [...new Set(runs.map((r) => armNamed(r.arm).runs))].map((peer) => peer && findPeer(peer));
  return [process.execPath, '/bin/bash', ...peers.flatMap((peer) => [peer?.program ?? [], peer?.library ?? []].flat())];
}

/** `begin` is called when the worker says that it begins a run, `keep` with the line of each that is over. */
async function boot(
  options: ExperimentOptions,
  runs: PlannedRun[],
  dir: string,
  begin: () => void,
  keep: (line: string) => void,
) {
  const { deterministic } = options;
  const used = options.scenarios.filter((s) => runs.some((r) => r.scenario === s.name));
  const { cpus, swap } = used[0]!.node;
  mkdirSync(dir, { recursive: true });
  const accelerator = deterministic
    ? `tcg, QEMU ${(await fairEmulator(options.say, options.signal)).version}`
    : 'as the lab chose';
  await writeTodo(dir, options, runs, { accelerator, deterministicClock: deterministic }, swap);
  const raw = join(dir, RAW_FILE);
  let read = 0;
  /** What the guest has added: a line is complete when it says so. */
  const collect = () => {
    if (!existsSync(raw)) return;
    const lines = readFileSync(raw, 'utf8').split('\n').slice(0, -1);
    for (const line of lines.slice(read)) keep(line);
    read = lines.length;
  };
  let rest = '';
  const lab: LabOptions = {
    argv: withResident(programsOf(runs), [...options.workerCommand, SHARE_PATH]),
    memoryBytes: Math.max(...used.map((s) => s.node.memory)) + GUEST_EXTRA_BYTES,
    kernel: options.kernel,
    cpus,
    swapBytes: swap,
    deterministic,
    ...(deterministic && { kernelArguments: EMULATED_ARGUMENTS }),
    timeoutMs: runs.reduce((sum, r) => sum + 120_000 + 2 * scenarioOf(r, used).timeLimit, 300_000),
    env: {
      // with any other, every program that starts reads a dozen files
      LC_ALL: 'C',
      ...(process.env.XDG_CACHE_HOME && { XDG_CACHE_HOME: process.env.XDG_CACHE_HOME }),
    },
    share: dir,
    onStdout: (chunk) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop()!;
      for (const line of lines)
        if (line.startsWith('at ')) begin();
        else if (line.startsWith('run ')) collect();
        else options.say(line);
    },
    onStderr: (chunk) => options.say(chunk.toString().trimEnd()),
    onNotice: options.say,
    ...(options.signal && { signal: options.signal }),
  };
  try {
    const result = await runInLab(lab);
    if (result.exitCode !== 0)
      throw new AcgError('ACG_EVALUATE', `the worker ended with ${result.exitCode ?? result.signal}`);
  } finally {
    collect();
  }
}

function brokenRun(options: ExperimentOptions, planned: PlannedRun, why: string): Run {
  const scenario = scenarioOf(planned, options.scenarios);
  return {
    ...planned,
    version: 1,
    scenarioHash: hashOf(scenario),
    startedAt: new Date().toISOString(),
    wallMs: 0,
    setupMs: 0,
    hostWaits: null,
    broken: why,
    environment: {
      kernel: 'unknown',
      where: 'lab',
      accelerator: 'unknown',
      deterministicClock: options.deterministic,
      cpus: scenario.node.cpus,
      memoryBytes: scenario.node.memory + GUEST_EXTRA_BYTES,
      swapBytes: scenario.node.swap,
      hugePages: scenario.node.hugePages,
      node: process.version,
      agentcgroup: options.host.version,
    },
    nodeBytes: scenario.node.memory,
    pauseMs: PAUSE_MS,
    sampleMs: SAMPLE_MS,
    sessions: [],
    measures: null,
    decisions: [],
    timeline: null,
  };
}
