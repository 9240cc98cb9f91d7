import { afterAll, expect, test } from 'vitest';
import { feedbackFor } from '../../../src/control/policy/index.ts';
import { parseConfig } from '../../../src/model/index.ts';
import { highPenalty, type Outcome, scenarios, simulate } from '../../../src/study/simulate/index.ts';

const config = parseConfig({ tenants: { high: { priority: 'high' }, low: { priority: 'low' } } });
const rows: string[] = [];
afterAll(() => process.stdout.write(`${rows.join('\n')}\n`));

const of = (name: string) => scenarios.find((s) => s.name === name)!;

const count = (o: Outcome, end: string) => o.calls.filter((c) => c.end === end).length;

function note(name: string, arm: string, o: Outcome): Outcome {
  const agents = `${o.agents.filter((a) => a.alive).length}/${o.agents.length} agents`;
  const calls = `${count(o, 'done')} calls done, ${count(o, 'killed')} killed by us, ${count(o, 'oom')} OOM, ${count(o, 'agent-died')} lost with their agent`;
  rows.push(
    `${name.padEnd(7)} ${arm.padEnd(18)} ${agents}; ${calls}; ${(o.endedAt / 1000).toFixed(1)} s, overlap ${(o.overlapMs / 1000).toFixed(1)} s`,
  );
  return o;
}

/** The scenario under our policy, under one limit for all, and under an equal share for each session. */
function run(name: string) {
  const { workload } = of(name);
  const ours = note(name, 'agentcgroup', simulate(workload, { control: 'policy', config }));
  const none = note(name, 'none', simulate(workload, { control: 'none' }));
  const share = workload.capacity / workload.sessions.length;
  const fixed = note(name, 'static', simulate(workload, { control: 'none', sessionMax: share }));
  expect(ours.agents.filter((a) => !a.finished)).toEqual([]);
  expect(ours.leftBytes).toBe(0);
  expect(ours.oomAbove).toBe(0);
  return { ours, none, fixed };
}

const lost = (o: Outcome) => o.agents.filter((a) => !a.alive).length;

test('(a) a greedy low-priority call: the high-priority session works on, the greedy call alone is lost', () => {
  const { ours, none, fixed } = run('greedy');
  expect(ours.calls.filter((c) => c.session === 'high').map((c) => c.end)).toEqual(['done', 'done', 'done']);
  expect(ours.calls.filter((c) => c.session === 'low').map((c) => c.end === 'done')).toEqual([false, true]);
  expect(ours.overlapMs).toBeGreaterThan(3000);
  const high = ours.calls.filter((c) => c.session === 'high');
  for (const c of high) expect(c.elapsedMs - c.heldMs).toBeLessThan(c.workMs * 1.2);
  expect(lost(none) + lost(fixed)).toBeGreaterThan(0);
});

test('(b) four equal sessions, 30 % too much: all of them finish', () => {
  const { ours, none, fixed } = run('crowd');
  expect(ours.calls.map((c) => c.end)).toEqual(Array(8).fill('done'));
  // not won by letting them run one after the other: that takes 64 s
  expect(ours.overlapMs).toBeGreaterThan(ours.endedAt / 2);
  expect(ours.endedAt).toBeLessThan(40_000);
  expect(lost(none)).toBeGreaterThan(0);
  expect(lost(fixed)).toBeGreaterThan(0);
});

test('(c) a retry storm leaves nothing behind and takes nobody along', () => {
  const { ours } = run('storm');
  expect(ours.calls.filter((c) => c.session === 'storm' && c.end !== 'done')).toHaveLength(20);
  expect(ours.calls.filter((c) => c.session === 'calm').every((c) => c.end === 'done')).toBe(true);
  // the twentieth try got as far as the first
  const tries = ours.calls.filter((c) => c.session === 'storm' && c.end !== 'done').map((c) => c.peakBytes);
  expect(Math.min(...tries)).toBeGreaterThan(Math.max(...tries) / 2);
});

test('(d) a fork bomb ends at its call', () => {
  const { ours } = run('forks');
  expect(ours.calls.filter((c) => c.end !== 'done').map((c) => [c.session, c.reason])).toEqual([['bomb', 'pids']]);
  expect(ours.calls.find((c) => c.reason === 'pids')!.elapsedMs).toBeLessThan(10_000);
});

test('(e) a leaking server in the background goes before the work of anyone', () => {
  const { ours } = run('leak');
  expect(ours.calls.filter((c) => c.end !== 'done').map((c) => c.session)).toEqual(['web']);
  expect(count(ours, 'done')).toBe(22);
});

test('(f) a call 50 MiB above what there is, without swap: told why within its bound, never crawling', () => {
  const { ours } = run('tight');
  const [big, small] = ours.calls;
  expect(big!.end === 'killed' || big!.end === 'oom').toBe(true);
  expect(big!.elapsedMs).toBeLessThan(big!.workMs + config.ladder.throttleMax + config.ladder.killAfter + 1000);
  expect(big!.longestStillMs).toBeLessThan(config.ladder.throttleMax + config.ladder.killAfter);
  expect(small!.end).toBe('done');
  const feedback = feedbackFor({
    oomKilled: big!.end === 'oom',
    ...(big!.end === 'killed' && { killedBy: 'ladder', reason: 'ceiling' }),
    exitStatus: 137,
    peakBytes: big!.peakBytes,
    command: 'npx webpack',
  });
  expect(feedback?.text).toContain('memory');
});

test("the model's memory.high is the kernel's: at 100 MiB, 1 % over sleeps 6 ms a batch, 10 % 640 ms, 18 % the 2 s clamp", () => {
  const high = 100 * 2 ** 20;
  expect(highPenalty(high, high)).toBe(0);
  expect(highPenalty(high * 1.01, high)).toBeCloseTo(6.4, 1);
  expect(highPenalty(high * 1.1, high)).toBeCloseTo(640, -1);
  expect(highPenalty(high * 1.18, high)).toBe(2000);
});
