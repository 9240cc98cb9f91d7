/** The node that goes from event to event against the same node tick by tick. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Arm, type Outcome, simulate, type Workload } from '../../../src/study/simulate/index.ts';
import { config } from './invariants.ts';
import { workload } from './workloads.ts';

const arms: Arm[] = [{ control: 'none' }, { control: 'policy', config: config() }];

/** Without what ends only because its session does. */
const settled = (w: Workload): Workload => ({
  ...w,
  cpus: 1000,
  sessions: w.sessions.map((s) => ({
    ...s,
    turns: s.turns.map((t) => ({
      ...t,
      calls: t.calls.map(({ backgroundAfter, forksPerSecond, ...c }) => c),
    })),
  })),
});

const ends = (o: Outcome) => o.calls.map((c) => `${c.session} ${c.workMs} ${c.end}`).sort();

test('with room for all, leaping changes nothing but the rounding to ticks', () => {
  fc.assert(
    fc.property(workload(fc.constant(4)), fc.constantFrom(...arms), (any, arm) => {
      const w = settled(any);
      const fine = simulate(w, arm, { until: 60_000, tickMs: 50 });
      const coarse = simulate(w, arm, { until: 60_000, tickMs: 250, leaps: true });
      expect(ends(coarse)).toEqual(ends(fine));
      expect(coarse.agents.every((a) => a.finished)).toBe(true);
      expect(coarse.leftBytes).toBe(0);
      for (const [i, a] of coarse.agents.entries())
        expect(Math.abs(a.endedAt! - fine.agents[i]!.endedAt!)).toBeLessThan(2500);
    }),
    { numRuns: 40, seed: 7 },
  );
});

test('a leaping node does in a few steps what takes hundreds of ticks', () => {
  let steps = 0;
  const w: Workload = {
    capacity: 8 * 2 ** 30,
    swap: 0,
    cpus: 4,
    sessions: [
      {
        id: 'a',
        tenant: 'a',
        startsAt: 0,
        agent: { anon: 2 ** 27, hot: 0 },
        turns: [{ think: 60_000, calls: [{ demand: [{ at: 30_000, anon: 2 ** 28 }] }] }],
      },
    ],
  };
  const arm: Arm = { control: 'policy', config: config(), watch: () => steps++ };
  expect(simulate(w, arm, { leaps: true, tickMs: 250 }).endedAt - 90_000).toBeLessThan(500);
  expect(steps).toBeLessThan(30);
  steps = 0;
  simulate(w, arm, { tickMs: 250 });
  expect(steps).toBeGreaterThan(300);
});
