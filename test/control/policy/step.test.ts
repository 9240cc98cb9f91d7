import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import {
  type Action,
  decisions,
  type Explanation,
  type Hint,
  initialState,
  type PolicyEvent,
  parseHint,
  pausesOf,
  rankOf,
  type State,
  step,
} from '../../../src/control/policy/index.ts';
import { fairShares, victimOrder } from '../../../src/control/policy/victims.ts';
import { parseConfig } from '../../../src/model/index.ts';

const MIB = 2 ** 20;
const CAPACITY = 2048 * MIB;

/** A policy at work: events in, what it decided out. */
let state: State;
let now = 0;
let actions: Action[] = [];
let explanations: Explanation[] = [];

function begin(config: Record<string, unknown> = {}, capacity = CAPACITY): void {
  const high = { priority: 'high' };
  state = initialState(parseConfig({ tenants: { a: high, b: high }, ...config }), capacity);
  now = 0;
  actions = [];
  explanations = [];
}

function tell(event: PolicyEvent, after = 0): Action[] {
  now += after;
  const s = step(state, event, now);
  state = s.state;
  actions.push(...s.actions);
  explanations.push(...s.explanations);
  return s.actions;
}

/** A session whose agent uses 100 MiB, seen long enough to be known. */
function session(id: string, priority: 'high' | 'normal' | 'low' = 'normal', tenant = 'a', agent = 100): void {
  tell({ type: 'session-start', session: id, tenant, priority });
  for (let i = 0; i < 8; i++) tell({ type: 'samples', agents: [{ session: id, current: agent * MIB }] }, 250);
}

const start = (call: string, of: string, hint?: Hint) =>
  tell({ type: 'call-start', call, session: of, ...(hint && { hint }) });

/** One round of samples of calls, MiB. */
const sample = (calls: Record<string, number>, after = 250) =>
  tell({ type: 'samples', calls: Object.entries(calls).map(([call, mib]) => ({ call, current: mib * MIB })) }, after);

const types = (list: Action[]) => list.map((a) => a.type);
const said = (call: string) => explanations.filter((e) => e.call === call).map((e) => e.text);

beforeEach(() => begin());

test('the table lists every decision once, with what it does', () => {
  expect(new Set(decisions.map((d) => d.name)).size).toBe(decisions.length);
  for (const d of decisions) expect(d.what.length).toBeGreaterThan(10);
});

test('a tenant gets CPU by its weight and its priority', () => {
  begin({
    tenants: { a: { priority: 'high' }, b: { priority: 'low', weight: 200 }, c: { priority: 'high', weight: 10_000 } },
  });
  for (const tenant of ['a', 'b', 'c', 'd']) session(`s-${tenant}`, 'high', tenant);
  const weights = actions.flatMap((a) =>
    a.type === 'weight' && a.target.kind === 'tenant' ? [[a.target.tenant, a.cpu, a.io]] : [],
  );
  expect(weights).toEqual([
    ['a', 400, 400],
    ['b', 50, 50],
    ['c', 10_000, 10_000],
    ['d', 100, 100],
  ]);
});

test('a lone call may use all that is free; its ceiling leaves room for agents', () => {
  session('s');
  start('c', 's');
  const bands = actions.find((a) => a.type === 'bands' && a.target.kind === 'call');
  expect(bands).toMatchObject({ max: expect.any(Number), high: expect.any(Number) });
  const { max, high } = bands as { max: number; high: number };
  expect(max).toBeGreaterThan(CAPACITY * 0.8);
  expect(max).toBeLessThan(CAPACITY - 100 * MIB);
  expect(high).toBeLessThan(max);
});

test('the hard ceilings of what runs at once stay below the limit of their parent', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.integer({ min: 0, max: 90 }), { minLength: 5, maxLength: 5 }), {
        minLength: 1,
        maxLength: 12,
      }),
      (rounds) => {
        begin({ session: { budget: '1g' } });
        session('s', 'normal', 'a');
        session('t', 'high', 'b');
        const ids = ['s1', 's2', 's3', 't1', 't2'];
        for (const id of ids) start(id, id[0]!);
        for (const round of rounds) {
          // a call grows no further than its ceiling lets it
          const usage = ids.map((id, i) => [id, Math.min(round[i]!, Number(state.calls[id]!.applied.max) / MIB)]);
          sample(Object.fromEntries(usage));
          for (const [inside, limit] of [
            ['s', 1024],
            ['t', 1024],
            ['st', 2048],
          ] as const) {
            const of = Object.values(state.calls).filter((c) => inside.includes(c.session) && c.rung !== 'killed');
            const sum = of.reduce((n, c) => n + Number(c.applied.max), 0) + inside.length * 100 * MIB;
            if (sum > limit * MIB) throw new Error(`${sum / MIB} MiB of ceilings in ${limit} MiB`);
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('a breach costs nothing while there is headroom: the ceiling is raised in the same step', () => {
  session('s');
  session('t', 'normal', 'b');
  start('c', 's');
  start('d', 't');
  const before = Number(state.calls.c!.applied.high);
  const answer = tell({ type: 'breach', target: { call: 'c' }, usage: { current: before } }, 100);
  expect(types(answer)).not.toContain('throttle');
  expect(answer.find((a) => a.type === 'bands' && a.target.kind === 'call' && a.target.call === 'c')).toBeDefined();
  expect(Number(state.calls.c!.applied.high)).toBeGreaterThan(before);
});

test('order of victims: lowest rank, then largest overage, then youngest; within a share nobody is over', () => {
  session('h', 'high');
  session('n', 'normal');
  session('l', 'low', 'b');
  for (const [call, of] of [
    ['h1', 'h'],
    ['n1', 'n'],
    ['l1', 'l'],
    ['l2', 'l'],
    ['l3', 'l'],
  ] as const)
    start(call, of);
  sample({ h1: 500, n1: 400, l1: 200, l2: 900, l3: 51 });
  const draft = {
    state,
    now,
    sessions: Object.values(state.sessions),
    calls: [],
    present: Object.values(state.calls),
    scopes: undefined,
    arrived: [],
    actions: [],
    explanations: [],
  };
  expect(victimOrder(draft, Object.values(state.calls)).map((c) => c.id)).toEqual(['l2', 'l3', 'l1', 'n1', 'h1']);
});

test('under pressure the growing low-priority call is paused, in words with numbers; calm ends the pause', () => {
  session('h', 'high');
  session('l', 'low', 'b');
  start('h1', 'h');
  start('l1', 'l');
  for (let i = 1; i <= 8; i++) sample({ h1: i * 90, l1: i * 110 });
  const l1 = state.calls.l1!;
  expect(['throttled', 'frozen']).toContain(l1.rung);
  expect(state.calls.h1!.rung).toBe('none');
  expect(said('l1')[0]).toMatch(
    /^(throttled|frozen): node headroom \d+ MiB.*; first in the order of victims: low-priority, using \d+ MiB$/,
  );
  tell({ type: 'call-end', call: 'h1' }, 100);
  for (let i = 0; i < 6; i++) sample({ l1: 880 });
  expect(state.calls.l1!.rung).toBe('none');
  expect(said('l1').at(-1)).toMatch(/^(thawed|released) after/);
  const { throttledMs, frozenMs } = pausesOf(state.calls.l1!, now);
  expect(throttledMs + frozenMs).toBeGreaterThan(0);
});

test('a starved high-priority call has the low-priority one killed, as a whole and with the reason', () => {
  session('h', 'high');
  session('l', 'low', 'b');
  start('h1', 'h');
  start('l1', 'l');
  sample({ l1: 900 });
  sample({ l1: 900 });
  for (let i = 1; i <= 12 && state.calls.l1!.rung !== 'killed'; i++) sample({ h1: i * 80, l1: 900 });
  expect(actions.filter((a) => a.type === 'kill')).toEqual([{ type: 'kill', call: 'l1', reason: 'ceiling' }]);
  expect(actions.filter((a) => a.type === 'advise')).toContainEqual({ type: 'advise', call: 'l1', kind: 'ceiling' });
  expect(said('l1').at(-1)).toMatch(/^killed: node headroom/);
});

test('agents that have just come are not presumed to need more than half of a small node', () => {
  begin({}, 500 * MIB);
  for (const id of ['x', 'y', 'z']) tell({ type: 'session-start', session: id, tenant: 'a' });
  start('small', 'x');
  sample({ small: 1 }, 50);
  sample({ small: 3 }, 50);
  expect(said('small')).toEqual([]);
  tell({ type: 'call-request', call: 'big', session: 'y', class: 'test' });
  expect(said('big').filter((text) => /needs 0 B/.test(text))).toEqual([]);
});

test('a call whose memory is taken as fast as it comes back stands still without growing: it does not stay so', () => {
  begin({ session: { budget: '700m' } });
  session('s');
  start('c', 's');
  for (const mib of [150, 300, 450, 550]) sample({ c: mib });
  let refaults = 0;
  const stand = (pages: number, rounds: number) => {
    for (let i = 0; i < rounds && state.calls.c!.rung !== 'killed'; i++) {
      refaults += pages;
      const current = 560 * MIB;
      tell({ type: 'samples', calls: [{ call: 'c', current, anon: current, swap: 40 * MIB, refaults }] }, 250);
    }
  };
  // what was taken once comes back, and that is all
  stand(0, 8);
  stand(2000, 1);
  stand(0, 20);
  expect(state.calls.c!.rung).toBe('none');
  // 2 MiB a second cost little; 8 MiB a second, on and on, do not
  stand(128, 20);
  expect(state.calls.c!.rung).toBe('none');
  stand(512, 12);
  expect(state.calls.c!.rung).toBe('killed');
  expect(said('c').at(-1)).toMatch(/session s headroom .* below 32 MiB for 2\.\d s, it needs more/);
});

test('pauses for the sake of the node do not put off the end of a call that starves in its full session', () => {
  // two sessions that are full, on a node that is short: each call is throttled in turn, as the other runs
  begin({ session: { budget: '700m' }, ladder: { throttleMax: '1s' } }, 1440 * MIB);
  session('s');
  session('t', 'normal', 'b');
  start('s.1', 's');
  start('t.1', 't');
  const mib: Record<string, number> = { 's.1': 300, 't.1': 300 };
  const refaults: Record<string, number> = { 's.1': 0, 't.1': 0 };
  let stood = 0;
  for (let i = 0; i < 60 && !Object.values(state.calls).some((c) => c.rung === 'killed'); i++) {
    for (const [call, c] of Object.entries(state.calls)) {
      // it grows as far as its ceiling lets it; from there on its pages come and go
      if (c.rung === 'frozen') continue;
      const most = Number(c.applied.max) / MIB;
      if (mib[call]! > most - 1) refaults[call]! += 4096;
      mib[call] = Math.min(mib[call]! + 40, most);
    }
    const calls = Object.entries(mib).map(([call, n]) => ({
      call,
      current: n * MIB,
      anon: n * MIB,
      refaults: refaults[call]!,
    }));
    tell({ type: 'samples', calls }, 250);
    stood = Object.values(mib).every((n) => n > 500) ? stood + 250 : 0;
  }
  expect(types(actions)).toContain('throttle');
  expect(types(actions)).toContain('kill');
  expect(stood).toBeLessThan(8000);
});

test('steady use of nearly everything hurts nobody', () => {
  session('s');
  session('t', 'normal', 'b');
  start('c', 's');
  start('d', 't');
  for (let i = 1; i <= 17; i++) sample({ c: i * 50, d: i * 50 });
  const calls = () => Object.values(state.calls).map((c) => c.rung);
  for (let i = 0; i < 200; i++) sample({ c: 850, d: 850 });
  expect(calls()).toEqual(['none', 'none']);
  // even on the brink: who neither grows nor runs into its ceiling needs nothing
  for (let i = 0; i < 200; i++) sample({ c: 880, d: 880 });
  expect(calls()).toEqual(['none', 'none']);
  expect(types(actions)).not.toContain('kill');
});

test('a leak in the background pays for its neighbours: nobody is paused for the sake of a call that holds nothing', () => {
  session('web');
  session('other', 'normal', 'b');
  start('server', 'web');
  sample({ server: 1200 });
  tell({ type: 'call-background', call: 'server' });
  start('sleep', 'web');
  for (let i = 0; i < 20; i++) sample({ server: 1200 + 4 * i, sleep: 1 });
  start('works', 'other');
  let works = 0;
  for (let i = 0; i < 40 && state.calls.server?.rung !== 'killed'; i++) {
    // as far as its ceiling lets it
    works = Math.min(works + 40, Number(state.calls.works!.applied.max) / MIB);
    sample({ server: 1280, sleep: 1, works });
  }
  expect(said('works').filter((text) => /^(frozen|throttled|killed)/.test(text))).toEqual([]);
  expect(said('server').at(-1)).toMatch(/^killed: node headroom .*first in the order of victims: low-priority/);
});

test('a call waits for those whose end makes room, not for one that sleeps', () => {
  session('s');
  session('t', 'normal', 'b');
  start('server', 's');
  start('sleep', 's');
  for (let i = 0; i < 20; i++) sample({ server: 1500, sleep: 1 });
  tell({ type: 'call-background', call: 'server' });
  const ask = (call: string) =>
    types(tell({ type: 'call-request', call, session: 't', hint: { memory: 800 * MIB } }, 10));
  expect(ask('first')).toContain('admit');
  tell({ type: 'call-end', call: 'first' });
  start('busy', 's');
  for (let i = 0; i < 20; i++) sample({ server: 1500, sleep: 1, busy: 60 });
  expect(ask('second')).toContain('hold');
});

test('admission: a big call waits, small ones pass, in order, and the wait is bounded', () => {
  session('s');
  session('t', 'normal', 'b');
  start('big', 's');
  // it has stopped growing: what it would take next is kept for it too
  for (let i = 0; i < 8; i++) sample({ big: 1400 });
  const ask = (call: string, command: Partial<Extract<PolicyEvent, { type: 'call-request' }>>) =>
    tell({ type: 'call-request', call, session: 't', ...command }, 10);
  expect(types(ask('npm', { class: 'npm', hint: { memory: 800 * MIB } }))).toContain('hold');
  expect(types(ask('git', { class: 'vcs' }))).toContain('admit');
  expect(types(ask('next', { class: 'python', hint: { memory: 300 * MIB } }))).toContain('hold');
  expect(said('npm')).toEqual([expect.stringMatching(/^held: needs 800 MiB \(hinted\), node has \d\d+ MiB to give$/)]);
  tell({ type: 'call-cancel', call: 'next' }, 10);
  expect(state.calls.next).toBeUndefined();
  expect(types(tell({ type: 'timer' }, 21_000))).toContain('admit');
  expect(said('npm').at(-1)).toMatch(/^let in after 21 s, the longest wait/);
});

test('admission: what an agent declares keeps nobody of another tenant waiting', () => {
  session('s');
  session('t', 'normal', 'b');
  start('big', 's');
  for (let i = 0; i < 16; i++) sample({ big: 1000 });
  const ask = (call: string, session: string, hint: string) =>
    types(tell({ type: 'call-request', call, session, class: 'pytest', hint: parseHint(hint).hint }, 10));
  // held itself, and what comes behind it of its tenant
  expect(ask('greedy', 's', 'memory:900g')).toContain('hold');
  expect(ask('mine', 's', 'memory:300m')).toContain('hold');
  expect(ask('yours', 't', '')).toContain('admit');
  // nor once it is in: it counts for no more than an even part
  begin();
  session('s');
  session('t', 'normal', 'b');
  expect(ask('greedy', 's', 'memory:900g')).toContain('admit');
  expect(ask('yours', 't', '')).toContain('admit');
});

test('admission: the end of a call lets the first in line in', () => {
  session('s');
  start('big', 's');
  sample({ big: 1700 });
  tell({ type: 'call-request', call: 'x', session: 's', class: 'npm' }, 10);
  const then = tell({ type: 'call-end', call: 'big' }, 100);
  expect(then).toContainEqual({ type: 'admit', call: 'x' });
  expect(state.calls.x!.phase).toBe('admitted');
});

test('too many calls of one session are refused', () => {
  begin({ session: { maxCalls: 2 } });
  session('s');
  start('1', 's');
  start('2', 's');
  expect(tell({ type: 'call-request', call: '3', session: 's' })).toContainEqual({
    type: 'refuse',
    call: '3',
    text: 'the session already runs 2 calls, its limit',
  });
});

test('a fork bomb is killed at its call; one brush with the limit is not', () => {
  session('s');
  start('bomb', 's');
  start('brush', 's');
  tell({ type: 'pids-breach', call: 'brush' }, 100);
  for (let i = 0; i < 14; i++) tell({ type: 'pids-breach', call: 'bomb' }, 250);
  expect(actions.filter((a) => a.type === 'kill')).toEqual([{ type: 'kill', call: 'bomb', reason: 'pids' }]);
});

test('a timer that comes a moment before its time is asked for again', () => {
  begin({ call: { timeLimit: '10s' } });
  session('s');
  start('c', 's');
  const { wakeAt } = state;
  expect(tell({ type: 'timer' }, wakeAt! - now - 0.5)).toContainEqual({ type: 'wake', at: wakeAt });
  expect(types(tell({ type: 'timer' }, 0.5))).toContain('kill');
});

test('time limits end a call, and what it left in the background', () => {
  begin({ call: { timeLimit: '10s', backgroundLimit: '5s' } });
  session('s');
  start('long', 's');
  start('server', 's');
  tell({ type: 'call-background', call: 'server' }, 1000);
  expect(state.wakeAt).toBe(now + 5000);
  tell({ type: 'timer' }, 5000);
  tell({ type: 'timer' }, 4000);
  expect(actions.filter((a) => a.type === 'kill').map((a) => a.call)).toEqual(['server', 'long']);
});

test('a runaway agent is reported, throttled for a bounded time while memory is short, never killed or frozen', () => {
  begin();
  session('s');
  for (let i = 1; i <= 40; i++)
    tell({ type: 'samples', agents: [{ session: 's', current: Math.min(1930, 200 + i * 60) * MIB }] }, 250);
  const about = explanations.filter((e) => e.decision === 'agent').map((e) => e.text);
  expect(about[0]).toMatch(/^the agent itself uses 1\.\d GiB, its baseline is \d+ MiB; hard ceiling 4\.0 GiB$/);
  const mine = actions.filter(
    (a) => a.type === 'throttle' || a.type === 'unthrottle' || a.type === 'freeze' || a.type === 'kill',
  );
  expect(new Set(types(mine))).toEqual(new Set(['throttle', 'unthrottle']));
  expect(mine[0]).toMatchObject({ target: { kind: 'agent', session: 's' } });
});

test('sessions that wait for their LLM are reclaimed first, and left alone when their working set was cut', () => {
  session('idle', 'high');
  session('busy', 'low', 'b');
  start('c', 'busy');
  const round = (refaults: number) =>
    tell(
      {
        type: 'samples',
        node: { current: 2000 * MIB, inactiveFile: 150 * MIB },
        agents: [{ session: 'idle', current: 300 * MIB, inactiveFile: 150 * MIB, refaults }],
        calls: [{ call: 'c', current: 1500 * MIB }],
      },
      1500,
    ).filter((a) => a.type === 'reclaim');
  expect(round(0)).toEqual([{ type: 'reclaim', target: { kind: 'agent', session: 'idle' }, bytes: 64 * MIB }]);
  expect(round(0)).toHaveLength(1);
  expect(round(5000)).toEqual([]);
  expect(round(5000)).toEqual([]);
});

test('what a call leaves charged is reclaimed before its cgroup goes', () => {
  session('s');
  start('c', 's');
  expect(tell({ type: 'call-end', call: 'c', left: 40 * MIB })).toContainEqual({
    type: 'reclaim',
    target: { kind: 'call', call: 'c' },
    bytes: 40 * MIB,
  });
});

test('agents, high-priority calls and guarantees are protected', () => {
  begin({ tenants: { a: { priority: 'high', guarantee: '1g' }, b: {} } });
  session('s', 'high');
  start('c', 's');
  sample({ c: 200 });
  expect(state.sessions.s!.applied.low).toBe(100 * MIB);
  expect(state.calls.c!.applied.low).toBe(200 * MIB);
  expect(state.tenants.a!.applied.low).toBe(1024 * MIB);
});

test('a new configuration changes what is decided, not what runs', () => {
  session('s', 'high');
  start('c', 's');
  const before = state.calls.c!;
  tell({ type: 'config', config: parseConfig({ tenants: { a: { priority: 'low', budget: '1g' } } }) }, 100);
  expect(state.calls.c).toMatchObject({ phase: 'running', rung: 'none', startedAt: before.startedAt });
  expect(state.sessions.s!.priority).toBe('low');
  expect(Number(state.calls.c!.applied.max)).toBeLessThan(1024 * MIB);
});

test('nothing an agent can say in a hint raises its share, its rank or its ceiling', () => {
  const hint = fc.oneof(
    fc.constantFrom(
      'memory:high',
      'memory:900g',
      'memory:1m',
      'cpu:high,io:high',
      'pids:1000000',
      'priority:normal',
      'priority:background',
      'duration:1ms',
    ),
    fc.string(),
  );
  fc.assert(
    fc.property(hint, fc.integer({ min: 1, max: 800 }), (text, usage) => {
      const run = (h: Hint) => {
        begin();
        session('s');
        session('t', 'normal', 'b');
        start('mine', 's', h);
        start('other', 't');
        // no call grows beyond its ceiling
        sample({ mine: Math.min(usage, Number(state.calls.mine!.applied.max) / MIB), other: 300 });
        const draft = {
          state,
          now,
          sessions: Object.values(state.sessions),
          calls: [],
          present: Object.values(state.calls),
          scopes: undefined,
          arrived: [],
          actions: [],
          explanations: [],
        };
        const c = state.calls.mine!;
        // the kernel's own is not written again
        const weight = (actions.find(
          (a) => a.type === 'weight' && a.target.kind === 'call' && a.target.call === 'mine',
        ) ?? { cpu: 100, io: 100 }) as { cpu: number; io: number };
        return {
          share: fairShares(draft).get('mine')!,
          rank: rankOf(state, c, now),
          max: Number(c.applied.max),
          low: c.applied.low,
          // how many give way before it does
          place: victimOrder(draft, draft.present).findIndex((x) => x.id === 'mine'),
          pids: c.pidsMax,
          cpu: weight.cpu,
          io: weight.io,
        };
      };
      const without = run({});
      const hinted = run(parseHint(text).hint);
      return (
        hinted.share <= without.share &&
        hinted.rank <= without.rank &&
        hinted.max <= without.max &&
        hinted.low <= without.low &&
        hinted.place <= without.place &&
        hinted.pids <= state.config.call.pidsMax &&
        hinted.cpu <= without.cpu &&
        hinted.io <= without.io
      );
    }),
    { numRuns: 500 },
  );
});

test('nothing a session asks for is above what its tenant has: priority, budget, the need of its calls', () => {
  begin({ tenants: { b: { priority: 'normal', budget: '800m' } }, session: { budget: '500m' } });
  const ask = (id: string, more: { priority?: 'high' | 'low'; budget?: number }) => {
    tell({ type: 'session-start', session: id, tenant: 'b', ...more });
    tell({ type: 'samples', agents: [{ session: id, current: 50 * MIB }] }, 250);
    start(`${id}.1`, id, parseHint('memory:900g').hint);
    const { priority, sessionApplied } = state.sessions[id]!;
    return [priority, Number(sessionApplied.max) / MIB, state.calls[`${id}.1`]!.need / MIB];
  };
  expect(ask('more', { priority: 'high', budget: 2000 * MIB })).toEqual(['normal', 500, 500]);
  expect(ask('less', { priority: 'low', budget: 200 * MIB })).toEqual(['low', 200, 200]);
});

test('events about what is not known are ignored', () => {
  for (const event of [
    { type: 'call-end', call: 'x' },
    { type: 'call-start', call: 'x', session: 'none' },
    { type: 'call-request', call: 'x', session: 'none' },
    { type: 'session-end', session: 'x' },
    { type: 'pids-breach', call: 'x' },
    { type: 'oom-kill', target: { call: 'x' } },
    { type: 'breach', target: { session: 'x' }, usage: { current: 1 } },
    { type: 'samples', calls: [{ call: 'x', current: 1 }], agents: [{ session: 'x', current: 1 }] },
  ] satisfies PolicyEvent[])
    expect(tell(event)).toEqual([]);
});

test('timers: the next bound is asked for once, and one that passed is no busy loop', () => {
  begin({ mode: 'observe', call: { timeLimit: '10s' } });
  session('s');
  start('c', 's');
  expect(state.wakeAt).toBe(now + 10_000);
  expect(types(sample({ c: 10 }))).not.toContain('wake');
  // nothing can be done in mode observe: the bound passes
  tell({ type: 'timer' }, 11_000);
  const next = state.wakeAt!;
  expect(next - now).toBeGreaterThanOrEqual(state.config.ladder.sampleEvery);
  expect(said('c')).toEqual(
    ['would have: killed it: ran for 10 s, limit 10 s'].map((t) => expect.stringContaining(t.slice(0, 25))),
  );
});

test('a ceiling that could not be written is asked for afresh', () => {
  session('s');
  start('c', 's');
  sample({ c: 100 });
  const max = Number(state.calls.c!.applied.max);
  sample({ c: max / MIB + 20 });
  expect(Number(state.calls.c!.applied.max)).toBeGreaterThan(max + 20 * MIB);
});
