import { join } from 'node:path';
import { expect, test } from 'vitest';
import { callsFromLog } from '../../../src/control/record/index.ts';
import { folder, iso, T0 } from '../../trace/fixtures.ts';

test('calls and log entries of the time of the recording, under its session', async () => {
  const entry = (s: number, type: string, block: object) => ({
    type,
    sessionId: 'claude-1',
    timestamp: iso(s * 1000),
    message: { id: 'm', content: [block] },
  });
  const call = (id: string, from: number, to: number) => [
    entry(from, 'assistant', { type: 'tool_use', id, name: 'Bash', input: { command: id } }),
    entry(to, 'user', { type: 'tool_result', tool_use_id: id }),
  ];
  const dir = folder({ 'c.jsonl': [...call('before', 1, 3), ...call('inside', 4, 5), ...call('across', 6, 9)] });
  const recording = { session: 'rec', tenant: 'recorded', start: T0 + 2000, end: T0 + 8000 };
  const records = await callsFromLog(join(dir, 'c.jsonl'), recording);
  const calls = records.filter((r) => r.type === 'call');
  expect(calls).toMatchObject([
    { call: 'inside', session: 'rec', tenant: 'recorded', agentSessionId: 'claude-1', durationMs: 1000 },
    { call: 'across', session: 'rec' },
  ]);
  expect(calls[1]).not.toHaveProperty('end');
  expect(records.filter((r) => r.type === 'event').map((r) => r.t - T0)).toEqual([3000, 4000, 5000, 6000]);
});
