import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { answerHook, readHookInput } from '../../../../src/control/intercept/hooks/index.ts';

const hook = (event: string, more: object = {}) =>
  JSON.stringify({ hook_event_name: event, tool_input: { command: 'make' }, tool_use_id: 't1', ...more });
const feedback = { kind: 'oom', text: 'It was stopped.', advice: 'Do less.' };

describe('a hook', () => {
  let server: Server;
  let dir: string;
  let asked: string[];
  let calls: object[];

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'acg-hook-'));
    asked = [];
    calls = [];
    server = createServer(async (request, response) => {
      let body = '';
      for await (const part of request) body += part;
      asked.push(`${request.method} ${request.url} ${body}`.trim());
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(request.method === 'GET' ? JSON.stringify(calls) : 'null');
    });
    await new Promise<void>((done) => server.listen(join(dir, 's'), done));
    vi.stubEnv('AGENTCGROUP_SESSION', 'one');
    vi.stubEnv('AGENTCGROUP_API', join(dir, 's'));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    rmSync(dir, { recursive: true });
  });

  test('before a command announces its id and says nothing', async () => {
    expect(await answerHook(hook('PreToolUse'))).toBe('');
    expect(asked).toEqual(['POST /v1/sessions/one/expected {"agentCallId":"t1","command":"make"}']);
  });

  test.each(['PostToolUse', 'PostToolUseFailure', 'AfterTool'])('%s returns feedback as context', async (event) => {
    calls = [{ agentCallId: 't1', feedback }];
    const answer = await answerHook(hook(event, { tool_response: { stdout: 'x', stderr: 'Killed' } }));
    expect(JSON.parse(answer)).toEqual({
      hookSpecificOutput: { hookEventName: event, additionalContext: '[agentcgroup] It was stopped. Do less.' },
    });
    expect(asked).toEqual(['GET /v1/calls?session=one&agentCallId=t1']);
  });

  test('says nothing when nothing happened, or when the model reads it already', async () => {
    calls = [{ agentCallId: 't1' }];
    expect(await answerHook(hook('PostToolUse'))).toBe('');
    calls = [{ agentCallId: 't1', feedback }];
    expect(
      await answerHook(hook('PostToolUse', { tool_response: [{ text: '[agentcgroup] It was stopped. Do' }] })),
    ).toBe('');
    expect(await answerHook(hook('PostToolUseFailure', { error: 'Exit 137\nIt was stopped.' }))).toBe('');
  });

  test('without an id the last call of the same command that has just ended is meant', async () => {
    const input = hook('AfterTool', { tool_use_id: undefined });
    calls = [{ command: 'make', end: Date.now() - 60_000, feedback }];
    expect(await answerHook(input)).toBe('');
    calls = [
      { command: 'make', end: Date.now(), feedback },
      { command: 'other', end: Date.now() },
    ];
    expect(await answerHook(input)).toContain('It was stopped.');
    expect(asked).toEqual(['GET /v1/calls?session=one', 'GET /v1/calls?session=one']);
  });

  test('an id that is none is not passed on', async () => {
    await answerHook(hook('PreToolUse', { tool_use_id: 'a b; $(c)' }));
    expect(asked).toEqual([]);
  });

  test('outside of a session, without a daemon, or on a strange answer: silence', async () => {
    server.removeAllListeners('request');
    server.on('request', (_, response) => response.end('{"not": '));
    expect(await answerHook(hook('PostToolUse'))).toBe('');
    vi.stubEnv('AGENTCGROUP_API', join(dir, 'none'));
    expect(await answerHook(hook('PostToolUse'))).toBe('');
    vi.stubEnv('AGENTCGROUP_SESSION', '');
    expect(await answerHook(hook('PostToolUse'))).toBe('');
  });

  test('reads any input: other tools, other shapes, no JSON', async () => {
    expect(readHookInput(hook('PreToolUse', { tool_input: { cmd: 'ls' } }))).toMatchObject({ command: 'ls' });
    expect(readHookInput(hook('PreToolUse', { tool_input: { file: 'x' } }))).toBeUndefined();
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const input = readHookInput(text);
        if (input) expect(typeof input.command).toBe('string');
      }),
    );
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify({ hook_event_name: 'PostToolUse', tool_input: value, tool_use_id: value });
        expect(() => readHookInput(text)).not.toThrow();
      }),
    );
  });
});
