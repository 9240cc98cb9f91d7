/** From what was observed to the run as it is kept. Pure. */
import { isLive, type LoggedCall, type SessionLog, wantedBytes } from '../replay/index.ts';
import type { RunningArm } from './arms/index.ts';
import { measure } from './measure.ts';
import type { PressureTotals } from './node.ts';
import type { PlannedSession } from './scenario.ts';
import { readSamples, rungsAsDecided } from './timeline.ts';
import type { Decision, Run, RunCall, RunSession, Scenario } from './types.ts';

/** What was seen of sessions that ran together. `t0`, `end`: the barrier and the end of all, ms of CLOCK_MONOTONIC. */
export interface Observed {
  sessions: PlannedSession[];
  /** From the beginning to the barrier. */
  setupMs: number;
  t0: number;
  end: number;
  brokenOff: boolean;
  /** Exit status of each agent, as a shell has it. */
  statuses: Map<string, number>;
  logs: Map<string, SessionLog>;
  samples: string;
  place: RunningArm['place'];
  provisioned: RunningArm['provisioned'];
  kills: { kills: number; groups: number };
  /** Requests to the host's file servers from barrier to end; undefined where the kernel cannot tell. */
  hostWaits: number | undefined;
  /** Microseconds from barrier to end. */
  pressure: PressureTotals;
  controller: { cpuMs: number; peakBytes: number } | undefined;
  /** Undefined: the controller tells nothing, or there is none. */
  decisions?: Decision[] | undefined;
  peer: string | undefined;
}

type Outcome = Pick<Run, 'broken' | 'sessions' | 'measures' | 'decisions' | 'timeline'>;

/**
 * Several `observed`: rounds that ran one after the other; then there is no time line. `early`: what was decided in the round that
 * broke, from its end backwards.
 */
export function assemble(
  scenario: Scenario,
  observed: Observed[],
  broken: string | null,
  early: readonly Decision[] = [],
): Outcome {
  const sessions = observed.flatMap((o) => o.sessions.map((s) => sessionOf(s, o)));
  const decisions = [...observed.flatMap((o) => o.decisions ?? []), ...early];
  if (broken !== null) return { broken, sessions, measures: null, decisions, timeline: null };
  const timelines = observed.map((o) => {
    const line = readSamples(o.samples, o.t0, o.place);
    return o.decisions ? rungsAsDecided(line, o.decisions) : line;
  });
  return {
    broken,
    sessions,
    measures: measure(scenario, observed, sessions, timelines),
    decisions,
    timeline: timelines.length === 1 ? timelines[0]! : null,
  };
}

function sessionOf(planned: PlannedSession, o: Observed): RunSession {
  const log = o.logs.get(planned.name)!;
  const calls = log.calls.map((call) => callOf(planned, call, o.t0, log.fin !== undefined));
  const alive = log.fin !== undefined && o.statuses.get(planned.name) === 0;
  const lastOf = planned.replay.calls.map((_, n) => calls.findLast((c) => c.n === n));
  const completed = alive && lastOf.every((call) => call?.outcome === 'done');
  return {
    session: planned.name,
    tenant: planned.tenant,
    priority: planned.priority,
    role: planned.role,
    alive,
    completed,
    startMs: planned.replay.startAfter,
    readyMs: relative(o.t0, log.ready ?? null),
    endMs: log.fin === undefined ? null : (calls.at(-1)?.endMs ?? null),
    calls,
    growthUs: log.growthUs,
  };
}

function callOf(planned: PlannedSession, call: LoggedCall, t0: number, finished: boolean): RunCall {
  const spec = planned.replay.calls[call.n]!;
  return {
    n: call.n,
    command: isLive(spec) ? spec.live.slice(0, 200) : spec.command,
    attempt: call.attempt,
    askedMs: round(call.asked - t0),
    startMs: relative(t0, call.start),
    endMs: relative(t0, call.end),
    outcome: outcomeOf(call.status, finished),
    exitCode: call.status,
    feedback: call.feedback,
    wantedBytes: wantedBytes(spec),
    pausesMs: call.pauses.map(([from, to]) => [round(from - t0), round(to - t0)]),
  };
}

function outcomeOf(status: number | null, finished: boolean): RunCall['outcome'] {
  if (status === null) return 'lost';
  if (status === 0) return 'done';
  // SIGKILL and SIGTERM, by whoever sent them: nothing in a replay sends any
  if (status === 137 || status === 143) return 'killed';
  return finished ? 'failed' : 'lost';
}

const relative = (t0: number, t: number | null) => (t === null ? null : round(t - t0));

const round = (ms: number) => Math.round(ms * 100) / 100;
