import { expect, test } from 'vitest';
import { callsOf, liveCallsOf, wholeAsCall } from '../../../src/study/replay/index.ts';
import type { ImportedSession } from '../../../src/trace/index.ts';

const MIB = 2 ** 20;
/** 100 s: 200 MiB all the time, 500 MiB during a test of 20 s that uses two CPUs. */
const trace = {
  session: { type: 'session', version: 1, session: 's', tenant: 't', source: 'record', start: 0 },
  samples: Array.from({ length: 101 }, (_, s) => ({
    type: 'sample',
    session: 's',
    t: s * 1000,
    memoryBytes: (s >= 40 && s <= 60 ? 500 : 200) * MIB,
    cpuUsec: 2e6 * Math.min(20, Math.max(0, s - 40)),
  })),
  calls: [
    { type: 'call', call: '1', session: 's', tenant: 't', tool: 'Read', start: 5000, end: 6000 },
    {
      type: 'call',
      call: '2',
      session: 's',
      tenant: 't',
      tool: 'Bash',
      command: 'git log',
      start: 10_100,
      end: 10_500,
    },
    {
      type: 'call',
      call: '3',
      session: 's',
      tenant: 't',
      tool: 'Bash',
      command: 'cd x && pytest',
      start: 40_000,
      end: 60_000,
    },
  ],
  events: [],
} as unknown as ImportedSession;

test('call by call: what each held above the rest of the session, think time in between, faster by the speed', () => {
  const [log, tests] = callsOf(trace, { speed: 10, scale: 1 });
  // too short to have been sampled
  expect(log).toMatchObject({ command: 'git status', after: 1010, workers: 1 });
  expect(log!.shape).toEqual([{ at: 40, anon: 4 * MIB, file: 0, cpu: 0 }]);
  expect(tests).toMatchObject({ command: 'pytest -q', after: 2950, workers: 2 });
  expect(tests!.shape.at(-1)!.at).toBe(2000);
  expect(Math.max(...tests!.shape.map((p) => p.anon))).toBe(300 * MIB);
  expect(tests!.shape[0]!.cpu).toBe(2);
});

test('as a whole: one call with all the memory, sizes read as told', () => {
  const [whole, ...rest] = wholeAsCall(trace, { speed: 50, scale: 1.048576 });
  expect(rest).toEqual([]);
  expect(whole!.shape[0]).toEqual({ at: 0, anon: 200 * MIB * 1.048576, file: 0, cpu: 0 });
  expect(whole!.shape.at(-1)!.at).toBe(2000);
  expect(Math.max(...whole!.shape.map((p) => p.anon))).toBe(500 * MIB * 1.048576);
  // straight stretches need no points
  expect(whole!.shape.length).toBeLessThan(8);
});

test('as commands: what was run, with the recorded time to think', () => {
  expect(liveCallsOf(trace, 2, '/w')).toEqual([
    { after: 5050, live: 'git log', cwd: '/w' },
    { after: 14_750, live: 'cd x && pytest', cwd: '/w' },
  ]);
});

test('a slope of less than a MiB from sample to sample is followed: its peak is not lost', () => {
  const samples = Array.from({ length: 1001 }, (_, i) => ({
    ...{ type: 'sample', session: 's', t: i * 100 },
    memoryBytes: (200 + 0.9 * Math.min(i, 1000 - i)) * MIB,
  }));
  const [whole] = wholeAsCall({ ...trace, samples, calls: [] } as unknown as ImportedSession, { speed: 1, scale: 1 });
  expect(Math.max(...whole!.shape.map((p) => p.anon))).toBeGreaterThan(645 * MIB);
  expect(whole!.shape.length).toBeLessThan(300);
});
