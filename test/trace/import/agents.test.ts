import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { openTraces } from '../../../src/trace/index.ts';
import { collect, folder, iso, lines, T0 } from '../fixtures.ts';

const id = '11111111-2222-3333-4444-555555555555';
let entries = 0;
const entry = (s: number, type: string, more: object) => ({
  type,
  uuid: `u${entries++}`,
  sessionId: id,
  timestamp: iso(s * 1000),
  cwd: '/repo',
  version: '9.9',
  ...more,
});
const asks = (s: number, call: string, name: string, input: object, more = {}) =>
  entry(s, 'assistant', {
    message: {
      id: `m-${call}`,
      model: 'model-x',
      usage: { input_tokens: 3, output_tokens: 5, cache_read_input_tokens: 7, cache_creation_input_tokens: 11 },
      content: [{ type: 'tool_use', id: call, name, input }],
    },
    ...more,
  });
const answers = (s: number, call: string, content: unknown, more: object = {}, block: object = {}) =>
  entry(s, 'user', { message: { content: [{ type: 'tool_result', tool_use_id: call, content, ...block }] }, ...more });

const claude = () => [
  { type: 'last-prompt', sessionId: id },
  entry(0, 'user', { message: { content: 'do it' } }),
  asks(1, 'c1', 'Bash', { command: 'make' }),
  answers(3, 'c1', 'Exit code 2\nno rule', {}, { is_error: true }),
  asks(4, 'c2', 'Agent', { prompt: 'look' }),
  asks(5, 'c3', 'Bash', { command: 'sleep 99', run_in_background: true }),
  answers(5.1, 'c3', 'running', { toolUseResult: { backgroundTaskId: 'b1' } }),
];

test('a Claude Code session with a sub-agent in its own file is one session', async () => {
  const side = [asks(6, 's1', 'Read', {}, { isSidechain: true }), answers(7, 's1', 'text', { isSidechain: true })];
  const dir = folder({
    [`p/${id}.jsonl`]: [...claude(), answers(8, 'c2', 'done')],
    [`p/${id}/subagents/agent-a.jsonl`]: side,
    'p/agent-b.jsonl': [asks(6.5, 's2', 'Grep', {}, { isSidechain: true })],
    'p/agent-other.jsonl': [{ ...asks(6.5, 's9', 'Grep', {}, { isSidechain: true }), sessionId: 'elsewhere' }],
  });
  const all = await collect(openTraces([`${dir}/p`]));
  expect(all.map((s) => s.session.session)).toEqual([id, 'elsewhere']);
  const s = all[0]!;
  expect(s.session).toMatchObject({ source: 'claude-code', model: 'model-x', start: T0, end: T0 + 8000 });
  expect(s.session.labels).toMatchObject({ cwd: '/repo', version: '9.9' });
  expect(s.calls).toMatchObject([
    { call: 'c1', command: 'make', durationMs: 2000, exitCode: 2, isError: true, agentSessionId: id },
    { call: 'c2', tool: 'Agent', envelope: true, durationMs: 4000 },
    { call: 'c3', background: true },
    { call: 's1', subAgent: true, durationMs: 1000 },
    { call: 's2', subAgent: true },
  ]);
  expect(s.events[1]!.data).toEqual({
    message: 'm-c1',
    model: 'model-x',
    outputTokens: 5,
    inputTokens: 3,
    cacheReadTokens: 7,
    cacheWriteTokens: 11,
    blocks: ['tool_use'],
    calls: ['c1'],
  });
  expect(s.report.notes).toEqual([{ where: 'call s2', why: 'a call without an end', count: 1 }]);
});

test('entries repeated after a resume count once, damaged lines are named', async () => {
  const log = claude();
  const dir = folder({ 'a.jsonl': `${lines([...log, ...log])}{"type":"assist\nnull\n${lines([{ type: 'user' }])}` });
  const [s] = await collect(openTraces([`${dir}/a.jsonl`]));
  expect(s!.calls).toHaveLength(3);
  expect(s!.report.imported.events).toBe(6);
  expect(s!.report.leftOut).toEqual([
    { where: 'line 15', why: 'a line that is not valid JSON', count: 1 },
    { where: 'line 16', why: 'a log entry that is not an object', count: 1 },
    { where: 'line 17', why: 'a log entry of type user without a time', count: 1 },
  ]);
});

const line = (s: number, type: string, payload: object) => ({ timestamp: iso(s * 1000), type, payload });
const codex = () => [
  line(0, 'session_meta', { id: 'thread-1', cwd: '/repo', cli_version: '9', source: 'exec' }),
  line(0.1, 'turn_context', { model: 'model-y' }),
  line(0.2, 'response_item', { type: 'message', role: 'user', content: [] }),
  line(1, 'response_item', { type: 'function_call', name: 'exec_command', call_id: 'k1', arguments: '{"cmd":"make"}' }),
  line(2, 'response_item', { type: 'function_call_output', call_id: 'k1', output: 'session 1' }),
  line(9, 'event_msg', {
    type: 'item_completed',
    completed_at_ms: T0 + 8900,
    item: { type: 'CommandExecution', id: 'k1', exit_code: 3, status: 'failed', cwd: 'file:///repo/sub' },
  }),
  line(10, 'response_item', {
    type: 'function_call',
    name: 'shell',
    call_id: 'k2',
    arguments: '{"command":["bash","-lc","ls | wc"]}',
  }),
  line(10.5, 'event_msg', { type: 'exec_command_end', call_id: 'k2', exit_code: 0, duration: { secs: 0, nanos: 4 } }),
  line(10.6, 'response_item', { type: 'function_call_output', call_id: 'k2', output: '' }),
  line(11, 'response_item', { type: 'custom_tool_call', name: 'apply_patch', call_id: 'k3', input: '*** Begin' }),
  line(11.2, 'response_item', { type: 'custom_tool_call_output', call_id: 'k3', output: 'ok' }),
  line(12, 'event_msg', {
    type: 'token_count',
    info: { last_token_usage: { input_tokens: 9, cached_input_tokens: 4, output_tokens: 2 } },
  }),
];

test('a Codex rollout: calls with their processes, tokens once', async () => {
  const dir = folder({ '2026/03/01/rollout-x.jsonl': codex() });
  const [s] = await collect(openTraces([dir]));
  expect(s!.session).toMatchObject({ session: 'thread-1', source: 'codex', model: 'model-y', activeEnd: T0 + 12_000 });
  expect(s!.calls).toMatchObject([
    { call: 'k1', tool: 'exec_command', command: 'make', exitCode: 3, isError: true, background: true, end: T0 + 8900 },
    { call: 'k2', tool: 'shell', command: 'ls | wc', exitCode: 0, durationMs: 500 },
    { call: 'k3', tool: 'apply_patch', durationMs: 200 },
  ]);
  expect(s!.calls[0]!.cwd).toBe('/repo/sub');
  expect(s!.calls[1]).not.toHaveProperty('background');
  const usage = s!.events.filter((e) => e.data?.outputTokens !== undefined);
  expect(usage.map((e) => e.data)).toEqual([{ model: 'model-y', outputTokens: 2, inputTokens: 9, cacheReadTokens: 4 }]);
});

test('newer usage records replace the older token counts', async () => {
  const record = line(11.5, 'token_usage_record', { response_id: 'r1', usage: { input_tokens: 1, output_tokens: 6 } });
  const [s] = await collect(openTraces([folder({ 'r.jsonl': [...codex(), record] })]));
  const usage = s!.events.filter((e) => e.data?.outputTokens !== undefined);
  expect(usage.map((e) => e.data?.outputTokens)).toEqual([6]);
});

test.each([
  ['.gz', gzipSync],
  ['.zst', zstdCompressSync],
])('a compressed rollout (%s) is read as it is', async (suffix, compress) => {
  const dir = folder({ [`rollout-x.jsonl${suffix}`]: compress(Buffer.from(lines(codex()))) });
  const [s] = await collect(openTraces([dir]));
  expect(s!.calls).toHaveLength(3);
});
