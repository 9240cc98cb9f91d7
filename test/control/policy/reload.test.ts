/** What is in force follows who is there and what is configured: limits go with a tenant's cgroup and with the end of enforcement. */
import { beforeEach, expect, test } from 'vitest';
import { type Action, initialState, type PolicyEvent, type State, step } from '../../../src/control/policy/index.ts';
import { parseConfig } from '../../../src/model/index.ts';

const MIB = 2 ** 20;

let state: State;
let now = 0;

const begin = (config: Record<string, unknown>) => {
  now = 0;
  state = initialState(parseConfig(config), 2048 * MIB);
};

function tell(event: PolicyEvent): Action[] {
  now += 100;
  const done = step(state, event, now);
  state = done.state;
  return done.actions;
}

const configure = (config: Record<string, unknown>) => tell({ type: 'config', config: parseConfig(config) });

const bandsOf = (actions: Action[], kind: string) =>
  actions.flatMap((a) => (a.type === 'bands' && a.target.kind === kind ? [a] : []));

const cpuOf = (actions: Action[]) =>
  Object.fromEntries(actions.flatMap((a) => (a.type === 'weight' ? [[a.target.kind, a.cpu]] : [])));

beforeEach(() => begin({}));

test('a tenant whose last session ends has its limits written again when it comes back, for its cgroup is a new one', () => {
  begin({ tenants: { a: { budget: '1g', guarantee: '256m' } } });
  const first = tell({ type: 'session-start', session: 's1', tenant: 'a' });
  expect(bandsOf(first, 'tenant')).toEqual([expect.objectContaining({ low: 256 * MIB, max: 1024 * MIB })]);
  tell({ type: 'session-start', session: 's2', tenant: 'a' });
  tell({ type: 'session-end', session: 's1' });
  expect(Object.keys(state.tenants)).toEqual(['a']);
  tell({ type: 'session-end', session: 's2' });
  const again = tell({ type: 'session-start', session: 's3', tenant: 'a' });
  expect(bandsOf(again, 'tenant')).toEqual([expect.objectContaining({ low: 256 * MIB, max: 1024 * MIB })]);
});

test('nothing is kept of tenants that have gone', () => {
  begin({ tenants: Object.fromEntries([0, 1, 2].map((i) => [`t${i}`, { budget: '512m' }])) });
  const empty = state;
  for (const i of [0, 1, 2]) {
    tell({ type: 'session-start', session: `s${i}`, tenant: `t${i}` });
    tell({ type: 'call-start', call: `s${i}.1`, session: `s${i}` });
    for (const mib of [100, 300, 500])
      tell({ type: 'samples', calls: [{ call: `s${i}.1`, current: mib * MIB }], node: { current: mib * MIB } });
    tell({ type: 'session-end', session: `s${i}` });
  }
  const { tenants, sessions, calls, starvedSince, calmSince, actedAt } = state;
  expect({ tenants, sessions, calls, starvedSince, actedAt }).toEqual({
    tenants: empty.tenants,
    sessions: empty.sessions,
    calls: empty.calls,
    starvedSince: empty.starvedSince,
    actedAt: empty.actedAt,
  });
  expect(Object.keys(calmSince).filter((key) => key !== 'node')).toEqual([]);
});

test.each(['observe', 'off'])('with mode %s what was in force is lifted', (mode) => {
  const tenant = { budget: '1g', guarantee: '256m', priority: 'high' };
  begin({ tenants: { a: tenant } });
  tell({ type: 'session-start', session: 's1', tenant: 'a', budget: 600 * MIB });
  tell({ type: 'call-start', call: 's1.1', session: 's1' });
  tell({
    type: 'samples',
    node: { current: 200 * MIB },
    agents: [{ session: 's1', current: 100 * MIB }],
    calls: [{ call: 's1.1', current: 100 * MIB }],
  });
  expect(state.calls['s1.1']!.applied.max).toBeLessThan(2048 * MIB);
  const lifted = configure({ tenants: { a: { ...tenant, mode } } });
  expect(bandsOf(lifted, 'call')).toEqual([expect.objectContaining({ low: 0, high: 'max', max: 'max' })]);
  expect(bandsOf(lifted, 'agent')).toEqual([expect.objectContaining({ min: 0, low: 0, max: 'max' })]);
  // what was asked for with the session itself is no decision of the policy
  expect(bandsOf(lifted, 'session')).toEqual([expect.objectContaining({ min: 0, low: 0 })]);
  expect(state.sessions.s1!.sessionApplied.max).toBe(600 * MIB);
  expect(bandsOf(lifted, 'tenant')).toEqual([expect.objectContaining({ low: 0, max: 'max' })]);
  expect(tell({ type: 'samples', node: { current: 200 * MIB } })).toEqual([]);
  const back = configure({ tenants: { a: tenant } });
  expect(bandsOf(back, 'tenant')).toEqual([expect.objectContaining({ max: 1024 * MIB })]);
  expect(bandsOf(back, 'call')).toHaveLength(2);
});

test('priority and CPU weight of what is there follow the configuration, down and up again', () => {
  begin({ tenants: { a: { priority: 'high' } } });
  tell({ type: 'session-start', session: 's1', tenant: 'a' });
  tell({ type: 'session-start', session: 's2', tenant: 'a', priority: 'normal' });
  expect(state.sessions.s1!.priority).toBe('high');
  const down = configure({ tenants: { a: { priority: 'low' } } });
  expect([state.sessions.s1!.priority, state.sessions.s2!.priority]).toEqual(['low', 'low']);
  expect(cpuOf(down)).toMatchObject({ tenant: 25, session: 25 });
  const up = configure({ tenants: { a: { priority: 'high', weight: 200 } } });
  expect([state.sessions.s1!.priority, state.sessions.s2!.priority]).toEqual(['high', 'normal']);
  expect(cpuOf(up)).toMatchObject({ tenant: 800 });
  expect(configure({ tenants: { a: { priority: 'high', weight: 200 } } }).filter((a) => a.type === 'weight')).toEqual(
    [],
  );
});
