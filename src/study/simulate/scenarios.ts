/** The scenarios every change of the policy is judged by, small enough to run in a moment. Sizes in MiB, times in s. */
import type { CallSpec, SessionSpec, Turn, Workload } from './workload.ts';

const MIB = 2 ** 20;

/** The paper's agents: 185 MB of framework, a third of it file pages. */
const agent = { anon: 125 * MIB, hot: 60 * MIB };

/** Rises to `peak` MiB, stays, and falls: three equal parts of `seconds`. */
export function hump(peak: number, seconds: number, more: Partial<CallSpec> = {}): CallSpec {
  const third = (seconds * 1000) / 3;
  const held = { anon: peak * MIB, hot: 8 * MIB };
  return {
    demand: [
      { at: third, ...held },
      { at: 2 * third, ...held },
      { at: 3 * third, anon: (peak * MIB) / 8, hot: 8 * MIB },
    ],
    ...more,
  };
}

/** Grows by `perSecond` MiB up to `peak` MiB and ends there. */
export function ramp(perSecond: number, peak: number, more: Partial<CallSpec> = {}): CallSpec {
  return { demand: [{ at: (peak / perSecond) * 1000, anon: peak * MIB }], ...more };
}

const session = (id: string, turns: Turn[], more: Partial<SessionSpec> = {}): SessionSpec => ({
  id,
  tenant: more.tenant ?? id,
  startsAt: 0,
  agent,
  turns,
  ...more,
});

const turn = (...calls: CallSpec[]): Turn => ({ think: 1000, calls });

export interface Scenario {
  name: string;
  what: string;
  workload: Workload;
}

/** (a) A greedy low-priority call, eight workers wide, against a working high-priority session. */
const greedy: Scenario = {
  name: 'greedy',
  what: 'a greedy low-priority call beside a working high-priority session',
  workload: {
    capacity: 1200 * MIB,
    swap: 0,
    cpus: 4,
    sessions: [
      session(
        'high',
        [1, 2, 3].map(() => turn(hump(320, 6, { command: 'pytest -q', processes: 4 }))),
        { priority: 'high' },
      ),
      session(
        'low',
        [
          turn(ramp(100, 4096, { command: 'python3 load.py', processes: 8 })),
          turn(hump(100, 3, { command: 'git status' })),
        ],
        { priority: 'low' },
      ),
    ],
  },
};

/** (b) Four equal sessions whose sum exceeds the node by 30 %. */
const crowd: Scenario = {
  name: 'crowd',
  what: 'four equal sessions whose sum exceeds the node by 30 %',
  workload: {
    capacity: Math.floor((4 * (185 + 408)) / 1.3) * MIB,
    swap: 0,
    cpus: 4,
    sessions: ['s1', 's2', 's3', 's4'].map((id, i) =>
      session(
        id,
        [1, 2].map(() => turn(hump(400, 8, { command: 'npx vitest run', processes: 8 }))),
        { startsAt: i * 300 },
      ),
    ),
  },
};

/** (c) The same test 20 times, each time too big, each time leaving page cache. */
const storm: Scenario = {
  name: 'storm',
  what: 'the same too big test, tried 20 times',
  workload: {
    capacity: 1000 * MIB,
    swap: 0,
    cpus: 4,
    sessions: [
      session('storm', [
        turn(ramp(400, 2000, { command: 'pytest', processes: 4, reads: 200 * MIB, retries: 19 })),
        turn(hump(200, 2, { command: 'pytest -x one_test.py' })),
      ]),
      session(
        'calm',
        Array.from({ length: 12 }, () => turn(hump(100, 4, { command: 'node report.js' }))),
      ),
    ],
  },
};

/** (d) A fork bomb beside a working session. */
const forks: Scenario = {
  name: 'forks',
  what: 'a fork bomb beside a working session',
  workload: {
    capacity: 1500 * MIB,
    swap: 0,
    cpus: 4,
    sessions: [
      session('bomb', [
        turn({ demand: [{ at: 1000, anon: 4 * MIB }], forksPerSecond: 1000, command: 'bash run.sh', cpus: 4 }),
        turn(hump(50, 2, { command: 'ls' })),
      ]),
      session(
        'work',
        [1, 2].map(() => turn(hump(300, 6, { command: 'pytest -q', processes: 4 }))),
      ),
    ],
  },
};

/** (e) A dev server in the background that leaks slowly, while its session and another work on. */
const leak: Scenario = {
  name: 'leak',
  what: 'a slow leak in a background dev server',
  workload: {
    capacity: 1400 * MIB,
    swap: 0,
    cpus: 4,
    sessions: [
      session('web', [
        turn(ramp(20, 4096, { command: 'npm run dev', backgroundAfter: 2000 })),
        ...Array.from({ length: 12 }, () => turn(hump(150, 4, { command: 'npx tsc -p .' }))),
      ]),
      session(
        'other',
        Array.from({ length: 10 }, () => turn(hump(250, 5, { command: 'pytest', processes: 4 }))),
      ),
    ],
  },
};

/** (f) A call that needs 50 MiB more than its session may have, without swap. */
const tight: Scenario = {
  name: 'tight',
  what: 'a call 50 MiB above its ceiling, without swap',
  workload: {
    capacity: (185 + 400) * MIB,
    swap: 0,
    cpus: 4,
    sessions: [
      session('one', [
        turn(hump(450, 9, { command: 'npx webpack', processes: 2 })),
        turn(hump(100, 2, { command: 'npx webpack' })),
      ]),
    ],
  },
};

export const scenarios: readonly Scenario[] = [greedy, crowd, storm, forks, leak, tight];
