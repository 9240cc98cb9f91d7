import { expect, test } from 'vitest';
import { explainCall, feedbackFor } from '../../../src/control/policy/index.ts';
import type { CallRecord } from '../../../src/model/index.ts';

const record: CallRecord = { type: 'call', call: 's.3', session: 's', tenant: 'ci', tool: 'Bash', start: 1_000_000 };

test('everything about a call, in order, since its start', () => {
  const facts = {
    killedBy: 'ladder' as const,
    reason: 'ceiling' as const,
    exitStatus: 137,
    frozenMs: 1200,
    command: 'make',
  };
  const lines = explainCall({
    ...record,
    command: 'make -j8\u001b[31m',
    hint: { memory: 2 ** 31, cpu: 'low' },
    hintErrors: ['not understood: "x"'],
    end: 1_009_000,
    durationMs: 9000,
    killedBy: 'ladder',
    peakBytes: 3 * 2 ** 30,
    frozenMs: 1200,
    heldMs: 500,
    explanations: [
      { t: 1_004_000, text: 'frozen: node headroom 48 MiB, below 64 MiB' },
      { t: 999_500, text: 'held: needs 2.0 GiB (hinted), node has 1.0 GiB to give' },
    ],
    feedback: feedbackFor(facts)!,
  });
  expect(lines.slice(0, 8)).toEqual([
    's.3 in session s of tenant ci: make -j8 [31m',
    '    +0 ms  the agent declared memory 2.0 GiB, cpu low',
    '    +0 ms  ignored in the hint: not understood: "x"',
    '  -500 ms  held: needs 2.0 GiB (hinted), node has 1.0 GiB to give',
    '   +4.0 s  frozen: node headroom 48 MiB, below 64 MiB',
    '   +9.0 s  killed by the policy after 9.0 s',
    '           peak 3.0 GiB, held 500 ms, frozen 1.2 s',
    expect.stringContaining('the agent was told: This command was stopped'),
  ]);
});

test.each<[Partial<CallRecord>, string]>([
  [{}, 'still running'],
  [{ end: 1_000_100, durationMs: 100, exitCode: 0 }, 'ended after 100 ms with exit status 0'],
  [{ end: 1_000_100, durationMs: 100, signal: 'SIGTERM', exitCode: null }, 'ended by signal SIGTERM after 100 ms'],
  [{ end: 1_000_100, killedBy: 'oom' }, 'killed by the kernel for memory'],
  [{ end: 1_000_100, killedBy: 'agent' }, 'ended by the agent'],
])('its end: %j', (more, words) => {
  const lines = explainCall({ ...record, ...more });
  expect(lines[1]).toContain('nothing had to be decided');
  expect(lines[2]!.trim().replace(/^\S+ \S+ +/, '')).toBe(words);
});
