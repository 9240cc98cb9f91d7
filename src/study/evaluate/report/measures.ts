/** The measures of the report: what is read off a run, in which unit, and which way is better. */
import { tail } from '../../statistics/index.ts';
import { byPriority, type Measures, type Run } from '../index.ts';

export interface Measure {
  id: string;
  title: string;
  unit: string;
  /** Absent: neither; it is reported and never judged. */
  better?: 'more' | 'less';
  /** What it means, for the report. */
  definition: string;
  /** Of a run that is not broken; null: does not apply, was not measured, or too few samples. */
  of: (run: Run) => number | null;
  /** The value is divided by the mean of arm `alone`, whose own scatter is then part of the interval. */
  overAlone?: boolean;
}

const plain = (pick: (m: Measures) => number | null) => (run: Run) => pick(run.measures!);

const growth = (q: number) => (run: Run) => {
  const { high, low } = byPriority(run.sessions);
  const value = tail(
    (high.length > 0 ? high : low).flatMap((s) => s.growthUs),
    q,
  );
  return value === null ? null : value / 1000;
};

/** Of HIGH where the scenario has one, else of all. */
const whose = 'of HIGH (of all sessions where all have the same priority)';
const mib = 2 ** 20;

export const measures: readonly Measure[] = [
  {
    id: 'agents_alive',
    title: 'Agents alive',
    unit: '% of sessions',
    better: 'more',
    definition: "agents that lived to the end of the run, checked against the kernel's counters",
    of: plain((m) => (100 * m.agentsAlive) / m.sessions),
  },
  {
    id: 'sessions_completed',
    title: 'Sessions completed',
    unit: '% of sessions',
    better: 'more',
    definition: 'agent alive and every call done, or done on a retry, within the time limit',
    of: plain((m) => (100 * m.sessionsCompleted) / m.sessions),
  },
  {
    id: 'calls_done',
    title: 'Calls done',
    unit: '% of attempts',
    better: 'more',
    definition:
      'attempts at calls that were done, of those made; what a dead agent never asked for is in neither number',
    of: plain((m) => {
      const all = m.callsDone + m.callsKilled + m.callsLost;
      return all > 0 ? (100 * m.callsDone) / all : null;
    }),
  },
  {
    id: 'calls_killed',
    title: 'Calls killed',
    unit: 'per run',
    better: 'less',
    definition: 'attempts at calls that were killed while their agent lived on',
    of: plain((m) => m.callsKilled),
  },
  {
    id: 'killed_with_feedback',
    title: 'Killed calls whose agent was told why',
    unit: '% of killed',
    better: 'more',
    definition: 'of the killed attempts, those with feedback in words; runs without a killed call are left out',
    of: plain((m) => (m.callsKilled > 0 ? (100 * m.callsKilledWithFeedback) / m.callsKilled : null)),
  },
  {
    id: 'high_over_alone',
    title: 'Time of HIGH over its time alone',
    unit: 'times its time alone',
    better: 'less',
    definition:
      'from its start to the end of its last call, over the mean of the same in arm alone; only runs in which HIGH completed',
    overAlone: true,
    of: plain((m) => m.highMs),
  },
  {
    id: 'low_over_alone',
    title: 'Time of LOW over its time alone',
    unit: 'times its time alone',
    better: 'less',
    definition:
      'mean over the LOW sessions, over the mean of the same in arm alone; only runs in which all LOWs completed',
    overAlone: true,
    of: plain((m) => m.lowMs),
  },
  {
    id: 'overlap',
    title: 'Overlap of HIGH and LOW',
    unit: '% of the time they could',
    better: 'more',
    definition:
      'of the time in which HIGH ran a call and a LOW ran one or wanted to, the part in which that LOW really ran',
    of: plain((m) => (m.overlap === null ? null : 100 * m.overlap)),
  },
  {
    id: 'growth_p50',
    title: 'Growth latency, median',
    unit: 'ms per MiB',
    better: 'less',
    definition: `wall time of a growth step of 1 MiB, ${whose}; per run`,
    of: growth(0.5),
  },
  {
    id: 'growth_p95',
    title: 'Growth latency, 95th percentile',
    unit: 'ms per MiB',
    better: 'less',
    definition: `wall time of a growth step of 1 MiB, ${whose}; per run, of runs with the 59 steps or more that a 95th percentile takes`,
    of: growth(0.95),
  },
  {
    id: 'growth_p99',
    title: 'Growth latency, 99th percentile',
    unit: 'ms per MiB',
    better: 'less',
    definition: `wall time of a growth step of 1 MiB, ${whose}; per run, of runs with 299 steps or more: with fewer it would be the maximum`,
    of: growth(0.99),
  },
  {
    id: 'high_pause',
    title: 'Longest pause of HIGH',
    unit: 's',
    better: 'less',
    definition: 'longest time a HIGH call stood still or waited to begin, in the run',
    of: plain((m) => (m.highLongestPauseMs === null ? null : m.highLongestPauseMs / 1000)),
  },
  {
    id: 'low_pause',
    title: 'Longest pause of LOW',
    unit: 's',
    better: 'less',
    definition: 'longest time a LOW call stood still or waited to begin, in the run',
    of: plain((m) => (m.lowLongestPauseMs === null ? null : m.lowLongestPauseMs / 1000)),
  },
  {
    id: 'makespan',
    title: 'Until all was over',
    unit: 's',
    definition: 'from the barrier to the end of the last session; short where sessions die, so it is not judged',
    of: plain((m) => m.makespanMs / 1000),
  },
  {
    id: 'unused',
    title: 'Memory set aside and not used',
    unit: '% of byte-seconds set aside',
    better: 'less',
    definition:
      '1 less memory charged over memory set aside (limits of sessions; the node where there are none), over time',
    of: plain((m) => (m.provisionedByteSeconds > 0 ? 100 * (1 - m.usedByteSeconds / m.provisionedByteSeconds) : null)),
  },
  {
    id: 'memory_full',
    title: 'Memory pressure, full',
    unit: '% of time',
    better: 'less',
    definition: "PSI of the node's tree: share of the run in which all its tasks waited for memory",
    of: plain((m) => (m.memoryFull === null ? null : 100 * m.memoryFull)),
  },
  {
    id: 'reaction',
    title: 'Reaction',
    unit: 'ms',
    better: 'less',
    definition:
      'from free memory below 5 % of the node to the first rung, limit or kill seen; runs that came there only',
    of: plain((m) => m.reactionMs),
  },
  {
    id: 'controller_cpu',
    title: 'CPU of the controller',
    unit: '% of one CPU',
    better: 'less',
    definition: 'daemon or peer, over the run',
    of: plain((m) => (m.controllerCpu === null ? null : 100 * m.controllerCpu)),
  },
  {
    id: 'controller_memory',
    title: 'Memory of the controller',
    unit: 'MiB',
    better: 'less',
    definition: 'largest resident set of daemon or peer',
    of: plain((m) => (m.controllerBytes === null ? null : m.controllerBytes / mib)),
  },
];
