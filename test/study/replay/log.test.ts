import { expect, test } from 'vitest';
import { allPaused, parseLog } from '../../../src/study/replay/index.ts';

test('a call stands still only while all of its workers do', () => {
  const worker = (pauses: [number, number][], end?: number) => ({ start: 0, end, pauses });
  expect(allPaused([worker([[10, 20]], 50), worker([[15, 30]], 50)], 50)).toEqual([[15, 20]]);
  expect(allPaused([worker([[10, 20]], 50), worker([], 12)], 50)).toEqual([[12, 20]]);
  expect(allPaused([worker([[10, 20]], 50), worker([], 50)], 50)).toEqual([]);
});

test('a log cut off by a kill: the call has no end, the torn line is left out', () => {
  const agent = 'ready 1000000\nask 0 0 2000000\nend 0 0 9000000 137 1\nask 0 1 10000000\n';
  const calls = 'S 0 0 0 3000000\nG 0 0 571\nP 0 0 4000000 6000000\nS 0 1 0 11000000\nG 0 0 60';
  expect(parseLog(agent, calls)).toEqual({
    ready: 1,
    fin: undefined,
    growthUs: [571],
    calls: [
      { n: 0, attempt: 0, asked: 2, start: 3, end: 9, status: 137, feedback: true, pauses: [[4, 6]] },
      { n: 0, attempt: 1, asked: 10, start: 11, end: null, status: null, feedback: false, pauses: [] },
    ],
  });
});
