import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import {
  type Action,
  callGrowth,
  guardBudget,
  initialState,
  marks,
  mattersWithin,
  type PolicyEvent,
  type State,
  sessionGrowth,
  step,
  tenantGrowth,
} from '../../../src/control/policy/index.ts';
import { LEFT } from '../../../src/control/policy/scopes.ts';
import { parseConfig } from '../../../src/model/index.ts';

const MIB = 2 ** 20;
const CAPACITY = 1024 * MIB;

let state: State;
let now = 0;

function begin(config: Record<string, unknown> = {}): void {
  state = initialState(parseConfig(config), CAPACITY);
  now = 0;
  tell({ type: 'governor', inCharge: true });
}

function tell(event: PolicyEvent, after = 0): Action[] {
  now += after;
  const s = step(state, event, now);
  state = s.state;
  return s.actions;
}

/** Sessions long enough there to count with what they use, with one call each. */
function calls(of: Record<string, 'high' | 'normal' | 'low'>): void {
  for (const [session, priority] of Object.entries(of)) {
    tell({ type: 'session-start', session, tenant: 'default', priority });
    for (let i = 0; i < 8; i++) tell({ type: 'samples', agents: [{ session, current: 10 * MIB }] }, 250);
  }
  for (const session of Object.keys(of)) tell({ type: 'call-start', call: `${session}.1`, session });
}

const grow = (usage: Record<string, number>, after = 50) =>
  tell({ type: 'samples', calls: Object.entries(usage).map(([call, mib]) => ({ call, current: mib * MIB })) }, after);

beforeEach(() => begin());

test('below its soft ceiling a call is not held, above it reaches the hard one no sooner than a breach is answered', () => {
  calls({ a: 'normal' });
  const { applied } = state.calls['a.1']!;
  const budget = callGrowth(state, 'a.1', now)!;
  expect(budget).toMatchObject({ soft: applied.high, priority: 'normal' });
  const gap = (applied.max as number) - (applied.high as number);
  expect(budget.rate).toBeCloseTo(gap, -1);
});

/** A high-priority call holds 400 MiB and rests; a low-priority one then grows by 100 MiB a second until something is done about it. */
function crowd(until: (call: NonNullable<State['calls'][string]>) => boolean, to = 540): Action[] {
  calls({ h: 'high', l: 'low' });
  for (let i = 0; i < 40; i++) grow({ 'h.1': 400, 'l.1': 100 }, 250);
  const actions: Action[] = [];
  for (let mib = 100; mib < to && !until(state.calls['l.1']!); mib += 5)
    actions.push(...grow({ 'h.1': 400, 'l.1': mib }, 50));
  return actions;
}

test('a throttle is a rate that leaves part of the critical mark to who has priority, and falls with the room that is left', () => {
  const actions = crowd(({ rung }) => rung === 'throttled');
  const { pace, seen } = state.calls['l.1']!;
  expect(actions).toContainEqual(expect.objectContaining({ type: 'throttle', bytesPerSecond: pace }));
  expect(callGrowth(state, 'l.1', now)).toMatchObject({ rate: pace, soft: 0, priority: 'low' });
  expect(seen.rate).toBeLessThanOrEqual(pace);
  // it began with more room than it is to leave, and grew by 100 MiB a second
  expect(pace).toBeGreaterThan(20 * MIB);
  expect(pace).toBeLessThanOrEqual(100 * MIB);
  let mib = seen.working / MIB;
  for (let i = 0; i < 40; i++) {
    mib += (state.calls['l.1']!.pace / MIB) * 0.05;
    grow({ 'h.1': 400, 'l.1': mib });
  }
  expect(state.calls['l.1']!.rung).toBe('throttled');
  expect(state.calls['l.1']!.pace).toBeLessThan(2 * MIB);
  const { current } = state.calls['l.1']!.seen;
  // 20 MiB of agents, and a 128th of the node as their reserve
  const headroom = CAPACITY - CAPACITY / 128 - 420 * MIB - current;
  const { critical } = marks(state.config, CAPACITY);
  expect(headroom).toBeGreaterThan((critical * 5) / 8 - 2 * MIB);
  expect(headroom).toBeLessThan(1.5 * critical);
  // what becomes free it may take at once
  grow({ 'h.1': 300, 'l.1': current / MIB });
  expect(callGrowth(state, 'l.1', now)!.rate).toBeGreaterThan(200 * MIB);
});

test('critical or not, a governed call is held to a rate and not frozen; without the governor it is frozen', () => {
  for (const governed of [true, false]) {
    begin();
    tell({ type: 'governor', inCharge: governed });
    crowd(() => false, 420);
    const actions = grow({ 'h.1': 400, 'l.1': 512 }, 250);
    expect(actions.map(({ type }) => type)).toContain(governed ? 'throttle' : 'freeze');
    // it grew by 368 MiB a second
    if (governed) expect(callGrowth(state, 'l.1', now)!.rate).toBeLessThan(32 * MIB);
  }
});

test('a page deep in the critical mark ends nobody; growth that is about to use up what is left does', () => {
  const killed = (step: number) => {
    begin();
    calls({ h: 'high', l: 'low' });
    for (let i = 0; i < 20; i++) grow({ 'l.1': 572 }, 250);
    for (let mib = 0; mib <= 400; mib += 2) grow({ 'h.1': mib, 'l.1': 572 }, 250);
    // 24 MiB are left, of which hard ceilings leave 8
    for (let i = 1; i <= 4; i++)
      if (grow({ 'h.1': 400 + i * step, 'l.1': 572 }, 30).some(({ type }) => type === 'kill')) return true;
    return false;
  };
  expect(killed(0.5)).toBe(false);
  expect(killed(5)).toBe(true);
});

test('at the door what grows counts with what it is about to take', () => {
  const asked = (mibPerStep: number) => {
    begin();
    calls({ h: 'high', l: 'low', m: 'low' });
    tell({ type: 'call-end', call: 'm.1' });
    // in the end 174 MiB are left, whatever the way there; a test suite takes 128
    for (let i = 20; i >= 0; i--) grow({ 'h.1': 700 - i * mibPerStep, 'l.1': 104 }, 50);
    tell({ type: 'call-request', call: 'm.2', session: 'm', class: 'pytest' });
    return state.calls['m.2']!.phase;
  };
  expect(asked(0)).toBe('admitted');
  expect(asked(15)).toBe('held');
});

test('a governed throttle ends at its bound: never does a call stay held for ever', () => {
  crowd(({ rung }) => rung === 'throttled');
  const since = now;
  const mib = state.calls['l.1']!.seen.working / MIB + 20;
  while (state.calls['l.1']?.rung === 'throttled' && now - since < 60_000) grow({ 'h.1': 400, 'l.1': mib }, 250);
  expect(state.calls['l.1']!.rung).toBe('none');
  const { throttleMax, freezeSlice } = state.config.ladder;
  expect(now - since).toBeGreaterThanOrEqual(throttleMax);
  expect(now - since).toBeLessThanOrEqual(throttleMax + freezeSlice + 500);
});

test('who is not under enforcement has no budget: not even the guard may hold it', () => {
  for (const config of [{ dryRun: true }, { mode: 'observe' }, { mode: 'off' }]) {
    begin(config);
    calls({ a: 'low' });
    expect(callGrowth(state, 'a.1', now)).toBeUndefined();
    expect(sessionGrowth(state, 'a')).toBeUndefined();
    expect(tenantGrowth(state, 'default')).toBeUndefined();
  }
  begin({ dryRun: true });
  expect(guardBudget(state, 0)).toBeUndefined();
});

test('sessions and tenants with a budget are slowed near its end, others never', () => {
  begin({ session: { budget: '512m' }, tenants: { default: { budget: '768m' } } });
  calls({ a: 'normal' });
  const { low } = marks(state.config, 512 * MIB);
  expect(sessionGrowth(state, 'a')!.soft).toBe(512 * MIB - low);
  expect(tenantGrowth(state, 'default')!.soft).toBe(768 * MIB - marks(state.config, 768 * MIB).low);
  begin();
  calls({ a: 'normal' });
  for (const budget of [sessionGrowth(state, 'a')!, tenantGrowth(state, 'default')!]) expect(budget.rate).toBe(1e12);
});

test('page cache that can be had back is room for the guard', () => {
  calls({ a: 'low' });
  tell({ type: 'samples', node: { current: 900 * MIB, inactiveFile: 600 * MIB } });
  const { limit, low, clear } = guardBudget(state, 0)!;
  expect(limit).toBe(CAPACITY - CAPACITY / 128 + 600 * MIB);
  expect(clear).toBeGreaterThan(low);
});

test('the guard leaves a quarter of the critical mark and gives way in time: first to an eighth, then altogether', () => {
  const { throttleMax, freezeSlice } = state.config.ladder;
  const { critical } = marks(state.config, CAPACITY);
  expect(guardBudget(state, throttleMax - 1)!.low).toBe(critical / 4);
  expect(guardBudget(state, throttleMax)!.low).toBe(critical / 8);
  expect(guardBudget(state, freezeSlice)).toBeUndefined();
});

test('whatever happens, every budget is one the kernel can keep', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(900), fc.nat(900)), { maxLength: 20 }), (rounds) => {
      begin();
      calls({ h: 'high', l: 'low' });
      for (const [a, b] of rounds) {
        grow({ 'h.1': a, 'l.1': b }, 100);
        for (const id of Object.keys(state.calls)) {
          const { rate, burst, soft } = callGrowth(state, id, now)!;
          expect(rate).toBeGreaterThanOrEqual(MIB);
          expect(Number.isFinite(rate) && burst >= 2 * MIB && soft >= 0).toBe(true);
        }
      }
    }),
    { numRuns: 50 },
  );
});

test('growth matters soon near a soft ceiling, and where together it comes near the low mark', () => {
  begin();
  calls({ a: 'normal', b: 'normal' });
  const seen = (usage: number) => ({
    type: 'samples' as const,
    node: { current: 2 * usage },
    calls: ['a.1', 'b.1'].map((call) => ({ call, current: usage })),
  });
  tell(seen(20 * MIB), 250);
  const matters = (usage: number, growth: number, ids = ['a.1']) =>
    mattersWithin(
      state,
      ids.map((id) => ({ id, usage, growth })),
      100,
    );
  expect(matters(20 * MIB, 0)).toBe(false);
  expect(matters(40 * MIB, 300 * MIB)).toBe(false);
  const { high } = state.calls['a.1']!.applied;
  expect(matters(Number(high) - MIB, 0)).toBe(false);
  expect(matters(Number(high) - MIB, 20 * MIB)).toBe(true);
  // each alone is far from its ceiling; together they leave less than four times the low mark
  const near = CAPACITY - 4 * marks(state.config, CAPACITY).low - 60 * MIB;
  tell({ type: 'samples', node: { current: near } });
  expect(matters(20 * MIB, 400 * MIB)).toBe(false);
  expect(matters(20 * MIB, 400 * MIB, ['a.1', 'b.1'])).toBe(true);
});

test('who is held back leaves more than makes anybody starve, and that is more than the guard leaves', () => {
  const { held, found, starved, guard, spared } = LEFT.governed;
  expect([held, found, starved, guard].toSorted((a, b) => b - a)).toEqual([held, found, starved, guard]);
  expect(new Set([held, found, starved, guard]).size).toBe(4);
  expect(spared).toBeLessThanOrEqual(guard);
});
