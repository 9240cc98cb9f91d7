/** The same scenario in the simulator, beside what the runs showed: how far the model is to be believed. */
import { parseConfig } from '../../../model/index.ts';
import { type Outcome, type SessionSpec, simulate, type Workload } from '../../simulate/index.ts';
import { mean } from '../../statistics/index.ts';
import { type PlannedSession, planSessions, type Scenario } from '../index.ts';
import type { Table } from './judge.ts';

export interface Beside {
  arm: string;
  what: string;
  unit: string;
  /** Mean of the runs with its interval; null where no run has a value. */
  runs: { value: number; low: number; high: number } | null;
  /** Null: it did not come to that in the simulation. */
  simulated: number | null;
}

/** Resolution of the model, milliseconds: the scenarios' calls last tenths of seconds. */
const TICK = 10;

/**
 * Only arms the model knows: no control, and the policy. Undefined for scenarios whose sessions come from elsewhere (traces,
 * commands) and would have to be read again.
 */
export async function besideSimulation(table: Table, scenario: Scenario): Promise<Beside[] | undefined> {
  if (scenario.sessions.some((s) => !s.calls)) return undefined;
  const none = async () => [];
  const planned = await planSessions(scenario, table.variant, scenario.seed, none);
  const work = workloadOf(scenario, planned);
  return table.arms.flatMap((arm) => {
    if (arm !== 'none' && !arm.startsWith('agentcgroup')) return [];
    const tenants = Object.fromEntries(planned.map((s) => [s.tenant, { priority: s.priority }]));
    const outcome = simulate(
      work,
      arm === 'none'
        ? { control: 'none' }
        : { control: 'policy', config: parseConfig({ tenants }), governed: arm !== 'agentcgroup-cgroup' },
      { until: scenario.timeLimit, tickMs: TICK },
    );
    return rowsOf(table, arm, work, outcome);
  });
}

/** The CPUs that a shape keeps busy, on average: a moment of many is not made longer by a node that has few. */
const cpusOf = (shape: readonly { at: number; cpu: number }[]): number =>
  shape.reduce((n, p, i) => n + p.cpu * ((shape[i + 1]?.at ?? p.at) - p.at), 0) / Math.max(1, shape.at(-1)?.at ?? 0);

/** The scenario as the simulator has it. */
export function workloadOf(scenario: Scenario, planned: readonly PlannedSession[]): Workload {
  return {
    capacity: scenario.node.memory,
    swap: scenario.node.swap,
    cpus: scenario.node.cpus,
    sessions: planned.map(
      (s): SessionSpec => ({
        id: s.name,
        tenant: s.tenant,
        priority: s.priority,
        startsAt: s.replay.startAfter,
        agent: { anon: s.replay.agent.anon, hot: s.replay.agent.file },
        turns: s.replay.calls.flatMap((c) =>
          'live' in c
            ? []
            : [
                {
                  think: c.after,
                  calls: [
                    {
                      demand: c.shape.map((p) => ({ at: p.at, anon: p.anon })),
                      reads: Math.max(...c.shape.map((p) => p.file)),
                      cpus: Math.max(0.05, cpusOf(c.shape)),
                      processes: c.workers,
                      retries: c.retries,
                      command: c.command,
                      ...(c.hint !== undefined && { hint: c.hint }),
                    },
                  ],
                },
              ],
        ),
      }),
    ),
  };
}

function rowsOf(table: Table, arm: string, work: Workload, o: Outcome): Beside[] {
  const cell = (id: string) => table.cells.find((c) => c.arm === arm && c.measure === id);
  const runs = (id: string) => {
    const c = cell(id);
    if (!c || c.n === 0) return null;
    const value = c.mean?.value ?? c.values[0]!.value;
    return { value, low: c.mean?.low ?? value, high: c.mean?.high ?? value };
  };
  const rank = { low: 0, normal: 1, high: 2 };
  const ranks = work.sessions.map((s) => rank[s.priority ?? 'normal']);
  const top = Math.max(...ranks);
  const over = (which: (r: number) => boolean): number | null => {
    const own = work.sessions.filter((_, i) => which(ranks[i]!));
    const times = own.map((s) => {
      const a = o.agents.find((x) => x.session === s.id)!;
      const done = o.calls.filter((c) => c.session === s.id && c.end === 'done').length;
      return a.finished && done >= s.turns.length ? (a.endedAt! - s.startsAt) / aloneMs(s) : null;
    });
    return times.length === 0 || times.includes(null) ? null : mean(times as number[]);
  };
  const several = Math.min(...ranks) < top;
  const killed = o.calls.filter((c) => c.end === 'oom' || c.end === 'killed').length;
  const row = (what: string, unit: string, id: string, simulated: number | null): Beside => ({
    arm,
    what,
    unit,
    runs: runs(id),
    simulated,
  });
  return [
    row(
      'Agents alive',
      '% of sessions',
      'agents_alive',
      (100 * o.agents.filter((a) => a.alive).length) / o.agents.length,
    ),
    row('Calls killed', 'per run', 'calls_killed', killed),
    ...(several
      ? [
          row(
            'Time of HIGH over its time alone',
            'times its time alone',
            'high_over_alone',
            over((r) => r === top),
          ),
        ]
      : []),
    row(
      'Time of LOW over its time alone',
      'times its time alone',
      'low_over_alone',
      over((r) => !several || r < top),
    ),
  ];
}

const aloneMs = (s: SessionSpec): number =>
  s.turns.reduce((n, t) => n + t.think + Math.max(0, ...t.calls.map((c) => c.demand.at(-1)?.at ?? 0)), 0);
