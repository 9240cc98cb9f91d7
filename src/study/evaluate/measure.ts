/** The measures of a run (see `Measures`). Pure. */
import { mean } from '../statistics/index.ts';
import type { Observed } from './assemble.ts';
import type { Timeline } from './timeline.ts';
import type { Measures, RunSession, Scenario } from './types.ts';

/** Free memory below this part of the node is a breach, for the reaction time. */
const BREACH = 0.05;
type Interval = readonly [number, number];

export function measure(
  scenario: Scenario,
  observed: Observed[],
  sessions: RunSession[],
  timelines: Timeline[],
): Measures {
  const calls = sessions.flatMap((s) => s.calls);
  const killed = calls.filter((c) => c.outcome === 'killed');
  const { high, low } = byPriority(sessions);
  const seconds = observed.reduce((sum, o) => sum + (o.end - o.t0) / 1000, 0);
  const share = (us: (o: Observed) => number) => {
    const total = observed.reduce((sum, o) => sum + us(o), 0);
    return Number.isFinite(total) && seconds > 0 ? total / 1e6 / seconds : null;
  };
  const sum = (of: (o: Observed) => number) => observed.reduce((total, o) => total + of(o), 0);
  const node = timelines.flatMap((t) => t.nodeBytes);
  const controlled = observed.filter((o) => o.controller !== undefined);
  return {
    sessions: sessions.length,
    agentsAlive: sessions.filter((s) => s.alive).length,
    agentsLost: sessions.filter((s) => !s.alive).length,
    sessionsCompleted: sessions.filter((s) => s.completed).length,
    callsDone: calls.filter((c) => c.outcome === 'done').length,
    callsKilled: killed.length,
    callsKilledWithFeedback: killed.filter((c) => c.feedback).length,
    callsLost: calls.filter((c) => c.outcome === 'lost').length,
    oomKills: sum((o) => o.kills.kills),
    oomGroupKills: sum((o) => o.kills.groups),
    highMs: completion(high),
    lowMs: completion(low),
    makespanMs: Math.max(...observed.map((o) => o.end - o.t0)),
    overlap: observed.length === 1 ? overlap(high, low) : null,
    highLongestPauseMs: longestPause(high),
    lowLongestPauseMs: longestPause(low),
    provisionedByteSeconds: sum((o) => provisioned(scenario, o, sessions)),
    usedByteSeconds: timelines.reduce((total, t) => total + byteSeconds(t), 0),
    peakBytes: Math.max(0, ...node),
    meanBytes: mean(node) ?? 0,
    memorySome: share((o) => o.pressure.memorySome),
    memoryFull: share((o) => o.pressure.memoryFull),
    cpuSome: share((o) => o.pressure.cpuSome),
    ioFull: share((o) => o.pressure.ioFull),
    controllerCpu: controlled.length > 0 ? sum((o) => o.controller?.cpuMs ?? 0) / 1000 / seconds : null,
    controllerBytes: controlled.length > 0 ? Math.max(...controlled.map((o) => o.controller!.peakBytes)) : null,
    reactionMs: timelines.length === 1 ? reaction(scenario, timelines[0]!, sessions) : null,
  };
}

/** HIGH: the highest priority there is, where there are several; else nobody. LOW: all others. */
export function byPriority(sessions: readonly RunSession[]): { high: RunSession[]; low: RunSession[] } {
  const rank = { low: 0, normal: 1, high: 2 };
  const ranks = sessions.map((s) => rank[s.priority]);
  const top = Math.max(...ranks);
  if (Math.min(...ranks) === top) return { high: [], low: [...sessions] };
  return {
    high: sessions.filter((s) => rank[s.priority] === top),
    low: sessions.filter((s) => rank[s.priority] !== top),
  };
}

function completion(sessions: readonly RunSession[]): number | null {
  if (sessions.length === 0 || sessions.some((s) => !s.completed)) return null;
  return mean(sessions.map((s) => s.endMs! - s.startMs));
}

function longestPause(sessions: readonly RunSession[]): number | null {
  const pauses = sessions.flatMap((s) => [kept(s), ...s.calls.flatMap(pausesOf)].map(([from, to]) => to - from));
  return sessions.length === 0 ? null : Math.max(0, ...pauses);
}

/** Pauses of a call; the time from being asked for to its first instruction is one. */
function pausesOf(call: RunSession['calls'][number]): Interval[] {
  return [[call.askedMs, call.startMs ?? call.endMs ?? call.askedMs], ...call.pausesMs];
}

/** The time in which a session was not let start at all: it waited for another to be gone. */
function kept({ startMs, readyMs }: RunSession): Interval {
  return [startMs, Math.max(startMs, readyMs ?? startMs)];
}

/**
 * Of the time in which HIGH ran a call while a LOW ran one or wanted to (asked, held, paused, not even let start), the part in which
 * that LOW really ran: not before its first instruction, and not in a pause.
 */
export function overlap(high: readonly RunSession[], low: readonly RunSession[]): number | null {
  const highRuns = union(
    high.flatMap((s) => s.calls.map((c): Interval => [c.startMs ?? c.askedMs, c.endMs ?? c.askedMs])),
  );
  let [could, did] = [0, 0];
  for (const session of low) {
    could += common(highRuns, [kept(session)]);
    for (const call of session.calls) {
      // of a lost call nobody knows the end: it counts as far as it was heard of
      const heard = call.pausesMs.at(-1)?.[1] ?? call.startMs ?? call.askedMs;
      const wanted: Interval = [call.askedMs, call.endMs ?? heard];
      const both = common(highRuns, [wanted]);
      could += both;
      did += both - common(highRuns, union(pausesOf(call)));
    }
  }
  return could > 0 ? did / could : null;
}

function union(intervals: readonly Interval[]): Interval[] {
  const found: [number, number][] = [];
  for (const [from, to] of [...intervals].sort((a, b) => a[0] - b[0])) {
    const last = found.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else found.push([from, to]);
  }
  return found;
}

/** Length of what two unions have in common. */
function common(a: readonly Interval[], b: readonly Interval[]): number {
  let length = 0;
  for (const [from, to] of a) for (const [x, y] of b) length += Math.max(0, Math.min(to, y) - Math.max(from, x));
  return length;
}

function provisioned(scenario: Scenario, o: Observed, sessions: readonly RunSession[]): number {
  const lasted = (o.end - o.t0) / 1000;
  if (!o.provisioned) return scenario.node.memory * lasted;
  return o.sessions.reduce((total, planned) => {
    const session = sessions.find((s) => s.session === planned.name)!;
    // from its agent's set-up, which for the first ones is before the barrier
    const from = session.calls[0]?.askedMs ?? 0;
    const to = session.endMs ?? o.end - o.t0;
    return total + (o.provisioned!(planned) * Math.max(0, to - from)) / 1000;
  }, 0);
}

function byteSeconds({ atMs, nodeBytes }: Timeline): number {
  let total = 0;
  for (let i = 1; i < atMs.length; i++) total += (nodeBytes[i - 1]! * (atMs[i]! - atMs[i - 1]!)) / 1000;
  return total;
}

/** From the breach to the first rung or killed call; 0 when a rung was in force already; null without a breach or a reaction. */
function reaction(
  scenario: Scenario,
  { atMs, nodeBytes, series }: Timeline,
  sessions: readonly RunSession[],
): number | null {
  const at = nodeBytes.findIndex((bytes) => bytes > scenario.node.memory * (1 - BREACH));
  if (at < 0) return null;
  const breach = atMs[at]!;
  const rungs = series.flatMap((s) => s.rungs);
  const killed = sessions.flatMap((s) => s.calls.filter((c) => c.outcome === 'killed').map((c) => c.endMs!));
  const acts = [
    ...rungs.filter(([, , to]) => to >= breach).map(([, from]) => from),
    ...killed.filter((t) => t >= breach),
  ];
  return acts.length > 0 ? Math.max(0, Math.min(...acts) - breach) : null;
}
