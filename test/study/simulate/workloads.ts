/** Arbitrary workloads for property tests: small nodes, short calls, everything that can go wrong. */
import fc from 'fast-check';
import type { Priority } from '../../../src/model/index.ts';
import {
  type CallSpec,
  peakOf,
  type SessionSpec,
  type Turn,
  type Workload,
} from '../../../src/study/simulate/index.ts';

export const MIB = 2 ** 20;

const hint = fc.option(
  fc.constantFrom(
    'memory:low',
    'memory:medium',
    'memory:high',
    'memory:300m',
    'cpu:low,io:low',
    'pids:64',
    'duration:2s',
    'priority:background',
    'memory:$(x)',
  ),
  { nil: undefined, freq: 2 },
);
const command = fc.constantFrom(
  'git status',
  'pytest -q',
  'npm ci',
  'npx vitest run',
  'python3 x.py',
  'make -j8',
  'ls',
);

/** Up to three points of demand, up to 700 MiB, 0.2 to 8 s of work. */
export const callSpec: fc.Arbitrary<CallSpec> = fc
  .record({
    points: fc.array(fc.record({ dt: fc.integer({ min: 100, max: 2600 }), anon: fc.integer({ min: 1, max: 700 }) }), {
      minLength: 1,
      maxLength: 3,
    }),
    hot: fc.constantFrom(0, 0, 8, 40),
    reads: fc.constantFrom(undefined, undefined, 50, 400),
    cpus: fc.constantFrom(1, 1, 2, 4),
    processes: fc.constantFrom(1, 1, 4, 8),
    forks: fc.constantFrom(...Array.from({ length: 24 }, () => undefined), 400),
    background: fc.constantFrom(...Array.from({ length: 9 }, () => undefined), 500),
    retries: fc.constantFrom(0, 0, 1),
    hint,
    command,
  })
  .map(({ points, hot, reads, cpus, processes, forks, background, retries, hint, command }) => {
    const until = (i: number) => points.slice(0, i + 1).reduce((n, p) => n + p.dt, 0);
    return {
      demand: points.map((p, i) => ({ at: until(i), anon: p.anon * MIB, hot: hot * MIB })),
      ...(reads !== undefined && { reads: reads * MIB }),
      cpus,
      processes,
      ...(forks !== undefined && { forksPerSecond: forks }),
      ...(background !== undefined && { backgroundAfter: background }),
      retries,
      ...(hint !== undefined && { hint }),
      command,
    };
  });

const turn: fc.Arbitrary<Turn> = fc.record({
  think: fc.integer({ min: 0, max: 2500 }),
  calls: fc.array(callSpec, { minLength: 1, maxLength: 3 }),
});

const session = (priority: fc.Arbitrary<Priority>): fc.Arbitrary<Omit<SessionSpec, 'id'>> =>
  fc.record({
    tenant: fc.constantFrom('a', 'b', 'c'),
    priority,
    startsAt: fc.integer({ min: 0, max: 2000 }),
    agent: fc.record({
      anon: fc.integer({ min: 60, max: 200 }).map((m) => m * MIB),
      hot: fc.integer({ min: 0, max: 60 }).map((m) => m * MIB),
      cold: fc.constantFrom(0, 0, 100 * MIB),
    }),
    turns: fc.array(turn, { minLength: 1, maxLength: 2 }),
  });

export const agentsOf = (w: Pick<Workload, 'sessions'>): number =>
  w.sessions.reduce((n, s) => n + s.agent.anon + s.agent.hot, 0);

/** The sum of what each session's largest turn holds at its peak. */
export const callsOf = (w: Pick<Workload, 'sessions'>): number =>
  w.sessions.reduce((n, s) => n + Math.max(...s.turns.map((t) => t.calls.reduce((m, c) => m + peakOf(c), 0))), 0);

/**
 * One to four sessions. `room`: what the node has beyond its agents, as a share of what all calls want at once; at
 * least 192 MiB, so that the agents themselves always fit.
 */
export function workload(
  room: fc.Arbitrary<number>,
  options: { priority?: fc.Arbitrary<Priority>; maxSessions?: number } = {},
): fc.Arbitrary<Workload> {
  return fc
    .record({
      sessions: fc.array(session(options.priority ?? fc.constantFrom('high', 'normal', 'normal', 'low')), {
        minLength: 1,
        maxLength: options.maxSessions ?? 4,
      }),
      room,
      swap: fc.constantFrom(0, 0, 0, 400 * MIB),
      cpus: fc.constantFrom(2, 4, 8),
    })
    .map(({ sessions, room, swap, cpus }) => {
      const named = sessions.map((s, i) => ({ ...s, id: `s${i}` }));
      const capacity = Math.floor(
        agentsOf({ sessions: named }) * 1.1 + Math.max(192 * MIB, callsOf({ sessions: named }) * room),
      );
      return { capacity, swap, cpus, sessions: named };
    });
}
