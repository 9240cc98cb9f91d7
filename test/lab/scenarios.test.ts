/**
 * The scenarios that every change of the policy is judged by, in a real kernel, each with agentcgroup and without. The guest's
 * clock counts instructions, so that a loaded machine makes them later and not different. `AGENTCGROUP_LAB_SCENARIOS=1`: all six,
 * and all of them without agentcgroup too: a fork bomb and a call that crawls take their time.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { conduct, loadScenario, type Run, type Scenario } from '../../src/study/evaluate/index.ts';

const cli = resolve(import.meta.dirname, '../../bin/agentcgroup.js');
const all = process.env.AGENTCGROUP_LAB_SCENARIOS !== undefined;
const names = ['greedy', 'crowd', 'forks', 'ceiling', ...(all ? ['storm', 'leak'] : [])];
const both = all ? names : ['greedy', 'crowd'];

function scenario(name: string): Scenario {
  const read = loadScenario(resolve(import.meta.dirname, 'scenarios', `${name}.yaml`));
  return { ...read, arms: read.arms.filter((arm) => both.includes(name) || arm.startsWith('agentcgroup')) };
}

interface Found {
  without: Run | undefined;
  control: Run;
}

/** Runs each scenario once in each of its arms, in one guest. By scenario: without control, and with agentcgroup. */
async function runAll(): Promise<Record<string, Found>> {
  const out = mkdtempSync(join(tmpdir(), 'acg-scenarios-'));
  try {
    const command = [process.execPath, cli];
    const runs = await conduct({
      scenarios: names.map(scenario),
      out,
      where: 'lab',
      jobs: 1,
      deterministic: true,
      datasetDir: null,
      // its worker in the guest starts the sessions, not this process
      host: { command, version: 'test', runSession: () => Promise.reject(new Error('not here')) },
      workerCommand: ['env', 'AGENTCGROUP_EVALUATE_WORKER=1', ...command, 'evaluate'],
      command: ['test'],
      say: (text) => void process.stderr.write(`${text}\n`),
      onProgress: () => {},
    });
    const of = (name: string, controlled: boolean) =>
      runs.find((r) => r.scenario === name && r.arm.startsWith('agentcgroup') === controlled);
    return Object.fromEntries(names.map((name) => [name, { without: of(name, false), control: of(name, true)! }]));
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

const seconds = (ms: number | null) => (ms === null ? '-' : `${(ms / 1000).toFixed(1)} s`);

/** One line of numbers, for the report of the test. */
function line({ scenario, arm, measures: m, broken }: Run): string {
  if (!m) return `${scenario} ${arm}: BROKEN ${broken}`;
  const pause = Math.max(m.highLongestPauseMs ?? 0, m.lowLongestPauseMs ?? 0);
  return (
    `${scenario} ${arm}: ${m.agentsAlive} of ${m.sessions} agents alive, ${m.sessionsCompleted} completed; calls ${m.callsDone} done, ` +
    `${m.callsKilled} killed, ${m.callsKilledWithFeedback} of them told, ${m.callsLost} lost; longest pause ${seconds(pause)}, ` +
    `${seconds(m.makespanMs)} in all`
  );
}

const callsOf = (run: Run, session: string) => run.sessions.find((s) => s.session === session)!.calls;
const outcomes = (run: Run, session: string) => callsOf(run, session).map((c) => c.outcome);

test(`${names.join(', ')}: no agent dies under agentcgroup, nobody starves, what is killed is told`, async () => {
  const found = await runAll();
  for (const { without, control } of Object.values(found))
    for (const run of [without, control]) if (run) process.stdout.write(`${line(run)}\n`);
  for (const [name, { without, control }] of Object.entries(found)) {
    expect([without?.broken ?? null, control.broken], name).toEqual([null, null]);
    const m = control.measures!;
    expect(m, name).toMatchObject({ agentsAlive: m.sessions, callsLost: 0, callsKilledWithFeedback: m.callsKilled });
    // every session got to its end, and that was work done
    for (const { session, calls } of control.sessions) expect(calls.at(-1)?.outcome, `${name} ${session}`).toBe('done');
    // the bounds of policy: held 20 s, or frozen 30 s in all
    expect(Math.max(m.highLongestPauseMs ?? 0, m.lowLongestPauseMs ?? 0), name).toBeLessThan(31_000);
  }

  // (a) HIGH is not disturbed; (a) and (b) without control lose agents
  const { greedy, crowd, forks, ceiling } = found;
  expect(outcomes(greedy!.control, 'high')).toEqual(['done', 'done']);
  expect(callsOf(greedy!.control, 'low')[0]).toMatchObject({ outcome: 'killed', exitCode: 137, feedback: true });
  expect(greedy!.without!.measures!.agentsLost).toBeGreaterThan(0);
  expect(crowd!.without!.measures!.agentsLost).toBeGreaterThan(0);

  // (d) the bomb ends, its neighbour's calls do not notice
  expect(callsOf(forks!.control, 'bomb')[0]).toMatchObject({ outcome: 'killed', exitCode: 137, feedback: true });
  expect(outcomes(forks!.control, 'work')).toEqual(['done', 'done']);

  // (f) what fits is done although a soft limit of that size would have held it up for ever; what cannot is told, in time
  const [fits, exceeds] = callsOf(ceiling!.control, 'tight');
  expect(fits).toMatchObject({ outcome: 'done', attempt: 0 });
  expect(exceeds).toMatchObject({ outcome: 'killed', feedback: true });
  expect(exceeds!.endMs! - exceeds!.askedMs).toBeLessThan(6000);

  if (!all) return;
  expect(callsOf(ceiling!.without!, 'tight')[0]!.outcome).toBe('lost');
  expect(forks!.without!.measures!.agentsLost).toBeGreaterThan(0);
  // (c) 20 tries, and no more is charged before the last one than before the second
  const tries = callsOf(found.storm!.control, 'storm').filter((c) => c.n === 0);
  expect(tries).toHaveLength(20);
  const { atMs, nodeBytes } = found.storm!.control.timeline!;
  const before = (n: number) => Math.min(...nodeBytes.filter((_, i) => Math.abs(atMs[i]! - tries[n]!.askedMs) <= 150));
  expect(before(19)).toBeLessThan(before(1) + 16 * 2 ** 20);
  // (e) those who work beside the leak are done; who left it running is told when it is gone
  expect(outcomes(found.leak!.control, 'other')).toEqual(Array(10).fill('done'));
  expect(callsOf(found.leak!.control, 'web').some((c) => c.feedback)).toBe(true);
}, 900_000);
