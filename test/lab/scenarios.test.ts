/**
 * The scenarios that every change of the policy is judged by, in a real kernel, each with agentcgroup and without. The guest's
 * clock counts instructions, so that a loaded machine makes them later and not different. `AGENTCGROUP_LAB_SCENARIOS=1`: all six,
 * and all of them without agentcgroup too: a fork bomb and a call that crawls take their time. Names with commas between: those.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { conduct, loadScenario, type Run, type Scenario } from '../../src/study/evaluate/index.ts';

const cli = resolve(import.meta.dirname, '../../bin/agentcgroup.js');
const asked = process.env.AGENTCGROUP_LAB_SCENARIOS;
const six = ['greedy', 'crowd', 'storm', 'forks', 'leak', 'ceiling'];
const names =
  asked === undefined ? ['greedy', 'crowd', 'forks', 'leak', 'ceiling'] : asked === '1' ? six : asked.split(',');
const both = asked === undefined ? ['greedy', 'crowd'] : names;
const runs = (name: string) => test.runIf(names.includes(name));

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
    const all = await conduct({
      scenarios: names.map(scenario),
      out,
      where: 'lab',
      jobs: 1,
      deterministic: true,
      datasetDir: null,
      // its worker in the guest starts the sessions, not this process
      host: { command, version: 'test', program: 'sources', runSession: () => Promise.reject(new Error('not here')) },
      workerCommand: ['env', 'AGENTCGROUP_EVALUATE_WORKER=1', ...command, 'evaluate'],
      command: ['test'],
      say: (text) => void process.stderr.write(`${text}\n`),
      onProgress: () => {},
    });
    const of = (name: string, controlled: boolean) =>
      all.find((r) => r.scenario === name && r.arm.startsWith('agentcgroup') === controlled);
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

/**
 * The least that was charged to the node beside running calls within 150 ms of a moment, bytes: agents, and what calls that are over
 * have left behind.
 */
function besideCalls({ timeline }: Run, atMs: number): number {
  const { atMs: times, nodeBytes, series } = timeline!;
  const calls = series.filter((s) => s.call !== null);
  const around = times.flatMap((t, i) => (Math.abs(t - atMs) <= 150 ? [i] : []));
  return Math.min(...around.map((i) => calls.reduce((n, s) => n - (s.bytes[i] ?? 0), nodeBytes[i]!)));
}

describe('scenarios in a real kernel, with agentcgroup and without', () => {
  let found: Record<string, Found>;
  beforeAll(async () => {
    found = await runAll();
    for (const { without, control } of Object.values(found))
      for (const run of [without, control]) if (run) process.stdout.write(`${line(run)}\n`);
  }, 900_000);

  test.each(names)('%s: under agentcgroup no agent dies, nobody starves, what is killed is told', (name) => {
    const { without, control } = found[name]!;
    expect([without?.broken ?? null, control.broken]).toEqual([null, null]);
    const m = control.measures!;
    expect(m).toMatchObject({ agentsAlive: m.sessions, callsLost: 0, callsKilledWithFeedback: m.callsKilled });
    // every session got to its end, and that was work done
    for (const { session, calls } of control.sessions) expect(calls.at(-1)?.outcome, session).toBe('done');
    // the bounds of the policy: held 20 s, or frozen 30 s in all
    expect(Math.max(m.highLongestPauseMs ?? 0, m.lowLongestPauseMs ?? 0)).toBeLessThan(31_000);
  });

  test.each(both.filter((name) => ['greedy', 'crowd', 'forks'].includes(name)))(
    '%s: without it an agent dies',
    (name) => {
      expect(found[name]!.without!.measures!.agentsLost).toBeGreaterThan(0);
    },
  );

  runs('greedy')('(a) a greedy low-priority call is killed and told, HIGH is not disturbed', () => {
    const { control } = found.greedy!;
    expect(outcomes(control, 'high')).toEqual(['done', 'done']);
    expect(callsOf(control, 'low')[0]).toMatchObject({ outcome: 'killed', exitCode: 137, feedback: true });
  });

  runs('storm')('(c) after 20 tries no more is charged beside calls than after the first', () => {
    const { control } = found.storm!;
    const tries = callsOf(control, 'storm').filter((c) => c.n === 0);
    expect(tries.map((c) => [c.outcome, c.feedback])).toEqual(Array(20).fill(['killed', true]));
    expect(besideCalls(control, tries[19]!.askedMs)).toBeLessThan(
      besideCalls(control, tries[1]!.askedMs) + 8 * 2 ** 20,
    );
    expect(outcomes(control, 'calm')).toEqual(Array(20).fill('done'));
  });

  runs('forks')('(d) a fork bomb ends, and the calls beside it are done', () => {
    const { control } = found.forks!;
    expect(callsOf(control, 'bomb')[0]).toMatchObject({ outcome: 'killed', exitCode: 137, feedback: true });
    expect(outcomes(control, 'work')).toEqual(['done', 'done']);
  });

  runs('leak')(
    '(e) who works beside a leak gets its work done; who left the leak running is told when it is gone',
    () => {
      const { control } = found.leak!;
      expect(outcomes(control, 'other')).toEqual(callsOf(control, 'other').map(() => 'done'));
      expect(callsOf(control, 'web').some((c) => c.feedback)).toBe(true);
    },
  );

  runs('ceiling')(
    '(f) what fits is done though a soft limit of that size would hold it up for ever; what cannot is told in time',
    () => {
      const { control, without } = found.ceiling!;
      const [fits, exceeds] = callsOf(control, 'tight');
      expect(fits).toMatchObject({ outcome: 'done', attempt: 0 });
      expect(exceeds).toMatchObject({ outcome: 'killed', feedback: true });
      expect(exceeds!.endMs! - exceeds!.askedMs).toBeLessThan(6000);
      if (without) expect(callsOf(without, 'tight')[0]!.outcome).toBe('lost');
    },
  );
});
