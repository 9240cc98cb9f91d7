import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FeedbackFacts, feedbackFor, feedbackText } from '../../../src/control/policy/index.ts';
import { Feedback } from '../../../src/model/index.ts';

const GIB = 2 ** 30;
const process = { comm: 'node', rssBytes: 1.7 * GIB };

test.each<[string, FeedbackFacts, Feedback['kind'], string[]]>([
  [
    'an OOM kill',
    { oomKilled: true, exitStatus: 137, peakBytes: 1.9 * GIB, limitBytes: 2 * GIB, process, command: 'npx tsc -p .' },
    'oom',
    [
      'was killed',
      'peak 1.9 GiB',
      'ceiling 2.0 GiB',
      'largest process node with 1.7 GiB',
      'Exit status 137',
      'not an error in your code',
      '--max-old-space-size',
      'AGENT_RESOURCE_HINT="memory:',
    ],
  ],
  [
    'an OOM kill of a worker only',
    { oomKilled: true, exitStatus: 0, command: 'pytest -n 8' },
    'oom',
    ['Some processes', 'may be incomplete', 'Exit status 0', '-n 2'],
  ],
  [
    'a kill by the ladder',
    {
      killedBy: 'ladder',
      reason: 'ceiling',
      exitStatus: 137,
      peakBytes: GIB,
      frozenMs: 12_000,
      throttledMs: 1500,
      command: 'make -j',
    },
    'ceiling',
    ['needed more memory than could be freed', 'stood still for 12 s and was slowed down for 1.5 s', '-j2'],
  ],
  [
    'a fork bomb',
    { killedBy: 'ladder', reason: 'pids', exitStatus: 137, pidsMax: 512 },
    'pids',
    ['was stopped', 'limit of 512', 'without waiting'],
  ],
  [
    'the limit of processes',
    { pidsLimited: true, pidsMax: 512, exitStatus: 1, command: 'pytest -n 999' },
    'pids',
    ['ran into its limit of processes (512)', '-n 2'],
  ],
  [
    'a time limit',
    { killedBy: 'limit', timeLimitMs: 600_000, exitStatus: 137, command: 'npm run dev' },
    'time',
    ['time limit of 10 min', 'in the background'],
  ],
  [
    'a freeze',
    { frozenMs: 4000, throttledMs: 10, exitStatus: 0, command: 'npx vitest' },
    'frozen',
    ['stood still for 4.0 s', 'Exit status 0', 'Nothing is wrong'],
  ],
  [
    'an OOM kill in the background',
    { oomKilled: true, background: true, peakBytes: GIB, command: 'npm run dev &' },
    'oom',
    ['What you left running in the background (npm run dev &) was killed', 'peak 1.0 GiB', 'stop servers'],
  ],
  ['a throttle', { throttledMs: 3000, exitStatus: 0 }, 'throttled', ['slowed down for 3.0 s']],
  ['an admission wait', { heldMs: 8000, exitStatus: 0 }, 'held', ['waited 8.0 s before it was started']],
])('%s', (_, facts, kind, words) => {
  const feedback = feedbackFor(facts)!;
  expect(feedback.kind).toBe(kind);
  const text = feedbackText(feedback);
  for (const word of words) expect(text).toContain(word);
  expect(Feedback.parse(feedback)).toEqual(feedback);
  expect(text.length).toBeLessThan(700);
  expect(text).toMatch(/^\[agentcgroup\] [^\n]+\n$/);
});

test.each<[string, FeedbackFacts]>([
  ['success', { exitStatus: 0 }],
  ['an error of the command', { exitStatus: 1, peakBytes: GIB, limitBytes: 2 * GIB, process }],
  ['kill -9 by someone else', { exitStatus: 137 }],
  ['short pauses', { throttledMs: 500, frozenMs: 900, heldMs: 900, exitStatus: 0 }],
  ['a limit of processes that the command coped with', { pidsLimited: true, exitStatus: 0 }],
  ['the end of the session', { killedBy: 'session', exitStatus: 137 }],
  ["the agent's own kill", { killedBy: 'agent', oomKilled: false, frozenMs: 9000 }],
])('nothing is said about %s', (_, facts) => {
  expect(feedbackFor(facts)).toBeUndefined();
});

test('thresholds of zero do not make a text out of nothing', () => {
  expect(feedbackFor({ exitStatus: 0 }, { pausedAtLeast: 0, heldAtLeast: 0 })).toBeUndefined();
});

test.each([
  ['pytest', '-n 2'],
  ['npx jest', '--maxWorkers=2'],
  ['ctest', 'one test'],
  ['npx webpack', '--max-old-space-size'],
  ['npx tsc', '--incremental'],
  ['make -j16', '-j2'],
  ['cargo build', 'CARGO_BUILD_JOBS=2'],
  ['go build ./...', 'GOMEMLIMIT'],
  ['mvn package', '-Xmx1g'],
  ['pip install torch', '--no-cache-dir'],
  ['npm ci', '--no-audit'],
  ['apt-get install x', 'one package'],
  ['npm run dev', 'stop servers'],
  ['rg foo', 'narrower'],
  ['git log -p', '-n 50'],
  ['python3 load.py', 'in chunks'],
  ['node big.js', 'streams'],
  ['./x', 'smaller piece'],
])('advice about memory for %s', (command, word) => {
  const { advice } = feedbackFor({ oomKilled: true, exitStatus: 137, command })!;
  expect(advice).toContain(word);
  expect(advice).toContain('AGENT_RESOURCE_HINT');
});

test.each<[FeedbackFacts, string, string]>([
  [{ killedBy: 'ladder', reason: 'pids' }, 'pytest -n 99', 'fewer workers (-n 2)'],
  [{ killedBy: 'ladder', reason: 'pids' }, 'npx vitest run', '--maxWorkers=2'],
  [{ killedBy: 'ladder', reason: 'pids' }, 'make -j', 'a bare -j has no bound'],
  [{ killedBy: 'ladder', reason: 'pids' }, 'cargo build', '-j 2'],
  [{ killedBy: 'ladder', reason: 'pids' }, './run.sh', 'AGENT_RESOURCE_HINT="pids:1024"'],
  [{ killedBy: 'limit' }, 'pytest', '--timeout'],
  [{ killedBy: 'limit' }, 'npx jest', '--watchAll=false'],
  [{ killedBy: 'limit' }, 'npm run dev', 'in the background'],
  [{ killedBy: 'limit' }, './run.sh', 'wait for input'],
  [{ frozenMs: 5000 }, 'pytest', 'fewer workers or fewer files'],
  [{ frozenMs: 5000 }, 'npx vitest', 'fewer workers or fewer files'],
  [{ frozenMs: 5000 }, 'make -j8', 'fewer parallel jobs'],
  [{ throttledMs: 5000 }, 'cargo test', '(-j 2)'],
  [{ heldMs: 5000 }, './run.sh', 'several heavy commands at once'],
])('advice after %j for %s', (facts, command, words) => {
  const { advice } = feedbackFor({ ...facts, command })!;
  expect(advice).toContain(words);
  expect(advice).not.toContain('memory:');
});

test('the hint it suggests is what the call needed, and more', () => {
  expect(feedbackFor({ oomKilled: true, exitStatus: 137, peakBytes: 700 * 2 ** 20 })!.advice).toContain('memory:1g');
  expect(feedbackFor({ oomKilled: true, exitStatus: 137, peakBytes: 3.1 * GIB })!.advice).toContain('memory:4g');
});

test('nothing the agent or a process names reaches a terminal as a control character', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('oom', 'ladder', 'limit'),
      (command, comm, killedBy) => {
        const feedback = feedbackFor({ killedBy, command, process: { comm, rssBytes: 1 }, exitStatus: 137 })!;
        return (
          !/[\p{Cc}\p{Cf}\p{Zl}]/u.test(feedbackText(feedback).slice(0, -1)) && Feedback.safeParse(feedback).success
        );
      },
    ),
  );
});
