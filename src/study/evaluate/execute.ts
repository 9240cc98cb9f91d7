/** One run: set up, barrier, wait, look, tear down. What it came to is put together in `assemble.ts`. */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import v8 from 'node:v8';
import vm from 'node:vm';
import { AcgError } from '../../model/index.ts';
import { isLive, ReplayFiles, replayProgram } from '../replay/index.ts';
import type { Arm, ArmContext, Host, RunningArm } from './arms/index.ts';
import { assemble, type Observed } from './assemble.ts';
import { NodeTree } from './node.ts';
import { HostWaits } from './resident.ts';
import type { PlannedSession } from './scenario.ts';
import type { Decision, Environment, PlannedRun, Run, Scenario } from './types.ts';

/** A step that takes so much longer than it was to take is a pause. */
export const PAUSE_MS = 150;
/** Distance of the time line's samples. */
export const SAMPLE_MS = 50;
const READY_LIMIT_MS = 120_000;
/** From the last session being ready to the barrier. */
const BARRIER_MS = 200;

export interface RunRequest {
  scenario: Scenario;
  hash: string;
  planned: PlannedRun;
  sessions: PlannedSession[];
  arm: Arm;
  host: Host;
  environment: Environment;
  /** On a file system whose page cache can be given back. */
  cacheDir: string;
}

/** Never throws for what the arm or the sessions do: such a run is broken, and says why. */
export async function executeRun(request: RunRequest): Promise<Run> {
  const { scenario, planned, arm, sessions } = request;
  const startedAt = new Date().toISOString();
  const begin = performance.now();
  // the reference: one session of each role, by itself
  const rounds = arm.name === 'alone' ? firstOfEachRole(sessions).map((s) => [s]) : [sessions];
  const observed: Observed[] = [];
  const early: Decision[] = [];
  let broken: string | null = null;
  let setupMs = 0;
  try {
    for (const round of rounds) {
      observed.push(await runTogether(request, round, early));
      setupMs += observed.at(-1)!.setupMs;
    }
  } catch (error) {
    broken = (error as Error).message;
  }
  const base = {
    version: 1 as const,
    scenario: scenario.name,
    scenarioHash: request.hash,
    variant: planned.variant,
    arm: arm.name,
    run: planned.run,
    seed: planned.seed,
    order: planned.order,
    startedAt,
    nodeBytes: scenario.node.memory,
    pauseMs: PAUSE_MS,
    sampleMs: SAMPLE_MS,
  };
  const peer = observed[0]?.peer;
  const environment = { ...request.environment, ...(peer !== undefined && { peer }) };
  const counted = observed.length > 0 && observed.every((o) => o.hostWaits !== undefined);
  const hostWaits = counted ? observed.reduce((sum, o) => sum + o.hostWaits!, 0) : null;
  const wallMs = performance.now() - begin;
  return { ...base, wallMs, setupMs, hostWaits, environment, ...assemble(scenario, observed, broken, early) };
}

function firstOfEachRole(sessions: PlannedSession[]): PlannedSession[] {
  return sessions.filter((s, i) => sessions.findIndex((x) => x.role === s.role) === i);
}

/** `early` gets what was decided in a run that breaks: it may well say why. */
async function runTogether(request: RunRequest, sessions: PlannedSession[], early: Decision[]): Promise<Observed> {
  const { scenario, arm, host } = request;
  const dir = mkdtempSync(join(tmpdir(), 'acg-run-'));
  const cacheDir = join(request.cacheDir, `cache-${process.pid}-${request.planned.order}`);
  const node = new NodeTree();
  const begin = performance.now();
  let running: RunningArm | undefined;
  try {
    resetMachine(scenario);
    await node.remove();
    node.create(scenario.node.memory, scenario.node.swap);
    const files = new ReplayFiles(dir, { mode: scenario.mode, pauseMs: PAUSE_MS, cacheDir });
    const context: ArmContext = {
      scenario,
      sessions: sessions.map((s) => inWorkspace(s, dir)),
      node,
      files,
      dir,
      host,
    };
    running = await arm.begin(context);
    return await observe(context, running, begin);
  } catch (error) {
    // what broke it is to be known, also when this breaks too
    if (running) early.push(...((await decisionsOf(running, monotonicMs()).catch(() => [])) ?? []));
    throw error;
  } finally {
    try {
      await running?.stop();
    } finally {
      await node.remove();
      rmSync(dir, { recursive: true, force: true });
      rmSync(cacheDir, { recursive: true, force: true });
    }
  }
}

/** A session of real commands gets a copy of its workspace, so that no run sees what another has left. */
function inWorkspace(session: PlannedSession, dir: string): PlannedSession {
  if (!session.replay.calls.some(isLive)) return session;
  const calls = session.replay.calls.map((call) => {
    if (!isLive(call)) return call;
    const copy = join(dir, 'work', session.name, basename(call.cwd));
    if (!existsSync(copy)) cpSync(call.cwd, copy, { recursive: true, verbatimSymlinks: true });
    return { ...call, cwd: copy };
  });
  return { ...session, replay: { ...session.replay, calls } };
}

/**
 * Ours is collected before the barrier. V8 does so with threads on every processor, of the scheduling class above that of the calls under
 * tier sched-ext: left to itself it stopped all of them for a fifth of a second in the midst of one run in ten.
 */
function collectGarbage(): void {
  v8.setFlagsFromString('--expose-gc');
  vm.runInNewContext('gc')();
}

async function observe(context: ArmContext, running: RunningArm, begin: number): Promise<Observed> {
  const { node, files, sessions, scenario } = context;
  const statuses = new Map<string, number>();
  const failures: Error[] = [];
  const open = new Set<Promise<void>>();
  const start = (session: PlannedSession) => {
    const over: Promise<void> = running.start(session).then(
      (status) => {
        statuses.set(session.name, status);
        open.delete(over);
        for (const next of running.next?.(session) ?? []) start(next);
      },
      (error: Error) => {
        failures.push(error);
        open.delete(over);
      },
    );
    open.add(over);
  };
  for (const session of running.first) start(session);
  await allReady(context, running.first, statuses, failures);

  collectGarbage();

  const samples = join(context.dir, 'samples');
  const sampler = spawn(replayProgram(), ['sample', node.path, String(SAMPLE_MS), samples], { stdio: 'ignore' });
  const waits = HostWaits.begin();
  const pressureBefore = node.pressure();
  const before = running.controllers.map(processUse);
  const t0 = monotonicMs() + BARRIER_MS;
  writeFileSync(`${files.go}.new`, String(Math.round(t0 * 1e6)));
  renameSync(`${files.go}.new`, files.go);
  const setupMs = performance.now() + BARRIER_MS - begin;
  const timeout = sleep(scenario.timeLimit + BARRIER_MS, 'timeout', { ref: false });
  let brokenOff = false;
  while (open.size > 0 && !brokenOff) brokenOff = (await Promise.race([timeout, ...open])) === 'timeout';
  const end = monotonicMs();
  const hostWaits = waits?.end();
  const after = running.controllers.map(processUse);
  const pressureAfter = node.pressure();
  const kills = node.oomKills();
  sampler.kill('SIGTERM');
  if (brokenOff) {
    node.kill();
    await Promise.all(open);
  }
  if (failures.length > 0) throw failures[0]!;
  const decisions = await decisionsOf(running, t0);
  return {
    sessions,
    setupMs,
    t0,
    end,
    brokenOff,
    statuses,
    logs: new Map(sessions.map((s) => [s.name, files.read(s.name)])),
    samples: existsSync(samples) ? readFileSync(samples, 'utf8') : '',
    place: running.place,
    provisioned: running.provisioned,
    kills,
    hostWaits,
    pressure: {
      memorySome: pressureAfter.memorySome - pressureBefore.memorySome,
      memoryFull: pressureAfter.memoryFull - pressureBefore.memoryFull,
      cpuSome: pressureAfter.cpuSome - pressureBefore.cpuSome,
      ioFull: pressureAfter.ioFull - pressureBefore.ioFull,
    },
    controller:
      running.controllers.length === 0
        ? undefined
        : {
            cpuMs: after.reduce((sum, use, i) => sum + use.cpuMs - before[i]!.cpuMs, 0),
            peakBytes: after.reduce((sum, use) => sum + use.peakBytes, 0),
          },
    decisions,
    peer: running.peer,
  };
}

const monotonicMs = () => Number(process.hrtime.bigint()) / 1e6;

/** What the controller says it decided; times from `t0`, ms of CLOCK_MONOTONIC. Undefined: it tells nothing. */
async function decisionsOf(running: RunningArm, t0: number): Promise<Decision[] | undefined> {
  const sinceEpoch = Date.now() - monotonicMs();
  const decided = await running.decisions?.();
  return decided?.map(({ t, session, call, kind, text }) => ({
    atMs: Math.round(t - sinceEpoch - t0),
    session: session!,
    call: call!,
    decision: kind,
    text: text!,
  }));
}

/** Waits until every session is set up, or dead already. */
async function allReady(
  { files }: ArmContext,
  sessions: PlannedSession[],
  statuses: Map<string, number>,
  failures: Error[],
): Promise<void> {
  const limit = performance.now() + READY_LIMIT_MS;
  for (const session of sessions)
    while (files.read(session.name).ready === undefined && !statuses.has(session.name)) {
      if (failures.length > 0) throw failures[0]!;
      if (performance.now() > limit)
        throw new AcgError('ACG_EVALUATE', `${session.name} was not set up after ${READY_LIMIT_MS / 1000} s`);
      await sleep(20);
    }
}

/** Huge pages are as the scenario says. In the lab only: elsewhere that is not ours to change. */
function resetMachine(scenario: Scenario): void {
  if (!process.env.AGENTCGROUP_LAB) return;
  writeFileSync('/sys/kernel/mm/transparent_hugepage/enabled', scenario.node.hugePages);
}

/** CPU time so far and the largest resident set of a process. */
function processUse(pid: number): { cpuMs: number; peakBytes: number } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').pop()!.split(' ');
    const hwm = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
    // fields 14 and 15, in ticks of 10 ms
    return { cpuMs: (Number(stat[11]) + Number(stat[12])) * 10, peakBytes: Number(hwm) * 1024 };
  } catch (cause) {
    throw new AcgError('ACG_EVALUATE', `the controller (process ${pid}) is gone`, { cause });
  }
}
