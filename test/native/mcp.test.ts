import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon } from './daemon/harness.ts';
import { cannotRun, cgroup2Mount, isAlive } from './scratch.ts';

const cli = resolve(import.meta.dirname, '../../bin/agentcgroup.js');
const server = [process.execPath, resolve(import.meta.dirname, '../fixtures/mcp-server.mjs')];

describe.skipIf(cannotRun)(`the MCP wrapper${cannotRun ? ` (${cannotRun})` : ''}`, () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await TestDaemon.start(cgroup2Mount()!);
  }, 60_000);
  afterEach(() => daemon.endSessions());
  afterAll(() => daemon?.[Symbol.asyncDispose]());

  /** The wrapper with the server behind it, and a client's side of the conversation. */
  function wrapped(session: string | undefined) {
    const { AGENTCGROUP_SESSION: _, ...env } = process.env;
    const child = spawn(process.execPath, [cli, 'mcp', '--name', 'test', '--', ...server], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...env, AGENTCGROUP_API: daemon.paths.apiSocket, ...(session && { AGENTCGROUP_SESSION: session }) },
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const ended = new Promise<number | null>((done) => child.on('close', done));
    return {
      say: (line: string) => void child.stdin.write(`${line}\n`),
      call: (id: number, name: string) =>
        void child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name } })}\n`),
      read: async () => String((await lines.next()).value),
      leave: () => child.stdin.end(),
      ended,
      stderr: () => stderr,
    };
  }

  test('the server is a call of the session, each request a record, and messages pass as they are', async () => {
    await daemon.client.createSession({ name: 'mcp' });
    const mcp = wrapped('mcp');
    const odd = ['{"jsonrpc": "2.0",  "id":0, "method":"initialize"}', 'no JSON at all {', `"${'x'.repeat(300_000)}"`];
    for (const line of odd) {
      mcp.say(line);
      expect(await mcp.read()).toBe(line);
    }
    mcp.call(1, 'where');
    expect(await mcp.read()).toContain('session-mcp/tool-1');
    mcp.call(2, 'fail');
    expect(JSON.parse(await mcp.read())).toMatchObject({ id: 2 });
    mcp.call(3, 'leave');
    const { pid } = JSON.parse(await mcp.read()).result;
    expect(isAlive(pid)).toBe(true);
    mcp.leave();
    expect(await mcp.ended).toBe(0);
    await expect.poll(() => isAlive(pid), { timeout: 5000 }).toBe(false);
    const calls = await daemon.client.calls({ session: 'mcp' });
    expect(calls.map(({ tool, via, isError, state }) => ({ tool, via, isError, state }))).toEqual([
      { tool: 'mcp-server:test', via: 'mcp', isError: undefined, state: 'ended' },
      { tool: 'mcp:where', via: 'mcp', isError: false, state: 'ended' },
      { tool: 'mcp:fail', via: 'mcp', isError: true, state: 'ended' },
      { tool: 'mcp:leave', via: 'mcp', isError: false, state: 'ended' },
    ]);
    expect(calls.every((call) => call.durationMs !== undefined)).toBe(true);
    await daemon.client.endSession('mcp');
    expect(daemon.root.children()).toEqual([]);
  });

  test('a server that dies: its status is told, its open requests have failed', async () => {
    await daemon.client.createSession({ name: 'dies' });
    const mcp = wrapped('dies');
    mcp.call(1, 'die');
    expect(await mcp.ended).toBe(3);
    const calls = await daemon.client.calls({ session: 'dies' });
    expect(calls.map(({ tool, exitCode, isError }) => [tool, exitCode, isError])).toEqual([
      ['mcp-server:test', 3, undefined],
      ['mcp:die', undefined, true],
    ]);
    await daemon.client.endSession('dies');
  });

  test('outside of a session, or in one that is gone, the server runs as without us', async () => {
    for (const [session, why] of [
      [undefined, 'not in a session'],
      ['no-such', 'no such session'],
    ] as const) {
      const mcp = wrapped(session);
      mcp.call(1, 'fail');
      expect(JSON.parse(await mcp.read())).toMatchObject({ id: 1 });
      mcp.leave();
      expect(await mcp.ended).toBe(0);
      expect(mcp.stderr()).toContain(why);
    }
  });
});
