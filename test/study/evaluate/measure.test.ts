import { expect, test } from 'vitest';
import { assemble } from '../../../src/study/evaluate/assemble.ts';
import {
  byPriority,
  checkScenario,
  overlap,
  type RunCall,
  type RunSession,
  readSamples,
  rungsAsDecided,
} from '../../../src/study/evaluate/index.ts';

const call = (asked: number, start: number | null, end: number | null, pausesMs: [number, number][] = []): RunCall => ({
  ...{ n: 0, command: 'x', attempt: 0, outcome: 'done', exitCode: 0, feedback: false, wantedBytes: 0 },
  askedMs: asked,
  startMs: start,
  endMs: end,
  pausesMs,
});
const session = (name: string, priority: RunSession['priority'], calls: RunCall[]): RunSession => ({
  ...{
    session: name,
    role: name,
    tenant: name,
    priority,
    alive: true,
    completed: true,
    startMs: 0,
    readyMs: -200,
    endMs: 0,
    growthUs: [],
  },
  calls,
});

test('overlap is the part of the time beside HIGH in which LOW really ran, waiting and pauses left out', () => {
  const high = [session('h', 'high', [call(0, 0, 100), call(200, 200, 300)])];
  const low = (...calls: RunCall[]) => [session('l', 'low', calls)];
  // all the time
  expect(overlap(high, low(call(0, 0, 300)))).toBe(1);
  // held until HIGH had ended: wanted 200 ms beside it and ran none of them
  expect(overlap(high, low(call(0, 300, 400)))).toBe(0);
  // paused for half of HIGH's second call; the pause in between is nobody's business
  expect(overlap(high, low(call(0, 0, 300, [[90, 250]])))).toBeCloseTo(1 - 60 / 200);
  // never wanted to run beside it
  expect(overlap(high, low(call(120, 120, 180)))).toBeNull();
  // not even let start until HIGH's second call: the first one's 100 ms it wanted, and had none of them
  const late = low(call(200, 200, 300)).map((s) => ({ ...s, readyMs: 190 }));
  expect(overlap(high, late)).toBeCloseTo(1 / 2);
});

test('a lost call counts as far as it was heard of: a pause of it takes nothing from others', () => {
  const high = [session('h', 'high', [call(0, 0, 1000)])];
  const lost = call(0, 100, null, [[200, 600]]);
  // asked at 0, began at 100, stood still from 200 to 600, and was never heard of again
  expect(overlap(high, [session('l', 'low', [lost])])).toBeCloseTo(100 / 600);
  const other = session('m', 'low', [call(0, 0, 1000)]);
  expect(overlap(high, [session('l', 'low', [lost]), other])).toBeCloseTo(1100 / 1600);
});

test('where all have the same priority nobody is HIGH', () => {
  const same = [session('a', 'low', []), session('b', 'low', [])];
  expect(byPriority(same)).toEqual({ high: [], low: same });
  const mixed = [session('a', 'normal', []), session('b', 'low', [])];
  expect(byPriority(mixed).high.map((s) => s.session)).toEqual(['a']);
});

test("the sampler's lines become one series a cgroup, with its rungs", () => {
  const text = [
    'T 900000000 5',
    'C /a 5 0 -1',
    'T 1000000000 10',
    'C /a 10 0 -1',
    'T 1050000000 30',
    'C /a 10 1 -1',
    'C /b 20 0 1048596',
    'T 1100000000 20',
    'C /b 20 0 -1',
    'T 1150000000 2',
  ];
  const line = readSamples(`${text.join('\n')}`, 1000, (path) => ({ session: path.slice(1), call: null }));
  expect(line).toEqual({
    atMs: [0, 50, 100],
    nodeBytes: [10, 30, 20],
    series: [
      { session: 'a', call: null, bytes: [10, 10, null], rungs: [['frozen', 50, 50]] },
      { session: 'b', call: null, bytes: [null, 20, 20], rungs: [['slow', 50, 50]] },
    ],
  });
});

test('rungs are those the controller decided, where it tells them: a rate that the kernel keeps is in no file', () => {
  const made = (call: string | null, bytes: (number | null)[]) => ({ session: 'low', call, bytes, rungs: [] });
  const line = {
    atMs: [0, 100, 200, 300],
    nodeBytes: [0, 0, 0, 0],
    series: [made(null, [1, 1, 1, 1]), made('tool-2', [1, 1, 1, null])],
  };
  const decided = (atMs: number, decision: string, call = 'low.2') => ({
    atMs,
    session: 'low',
    call,
    decision,
    text: '',
  });
  const rungs = (...decisions: ReturnType<typeof decided>[]) =>
    rungsAsDecided(line, decisions).series.map((s) => s.rungs);
  expect(rungs(decided(20, 'throttle'), decided(120, 'freeze'), decided(150, 'thaw'))).toEqual([
    [],
    [
      ['slow', 20, 120],
      ['frozen', 120, 150],
    ],
  ]);
  // as long as it is there, and nobody else's
  expect(rungs(decided(20, 'throttle'))).toEqual([[], [['slow', 20, 200]]]);
  expect(rungs(decided(20, 'throttle'), decided(250, 'kill'))).toEqual([[], [['slow', 20, 200]]]);
  expect(rungs(decided(20, 'throttle', 'low.3'), decided(30, 'admission'))).toEqual([[], []]);
});

test('a run that broke before it was observed has no measures, and keeps what was decided until then', () => {
  const sessions = [{ name: 'a', calls: [{ shape: [{ at: '1s' }] }] }];
  const scenario = checkScenario({ name: 'x', title: 'x', what: 'x', node: { memory: '1g' }, sessions }, 'x.yaml');
  const said = { atMs: -300, session: 'a', call: 'a.1', decision: 'refuse', text: 'no room' };
  expect(assemble(scenario, [], 'a was not set up', [said])).toMatchObject({
    ...{ broken: 'a was not set up', measures: null, timeline: null },
    decisions: [said],
  });
});
