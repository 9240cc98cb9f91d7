import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { attach, type ToolCall } from '../../src/index.ts';
import { TestDaemon } from './daemon/harness.ts';
import { cannotRun, cgroup2Mount, isAlive, statusOf } from './scratch.ts';

describe.skipIf(cannotRun)(`the SDK${cannotRun ? ` (${cannotRun})` : ''}`, () => {
  let daemon: TestDaemon;
  const options = () => ({ runDir: daemon.paths.runDir });

  beforeAll(async () => {
    daemon = await TestDaemon.start(cgroup2Mount()!);
  }, 60_000);
  afterEach(() => daemon.endSessions());
  afterAll(() => daemon?.[Symbol.asyncDispose]());

  /** A command that has begun, and goes on when it is told to. */
  async function waiting(call: ToolCall, script: string) {
    const file = join(daemon.dir, `go-${call.id}`);
    const child = call.spawn('sh', ['-c', `echo up; while [ ! -e ${file} ]; do sleep 0.05; done; ${script}`]);
    await once(child.stdout!, 'data');
    return { child, go: () => writeFileSync(file, '') };
  }

  test('a command is born in the cgroup of its call, and its result is whole', async () => {
    await using session = await attach({ ...options(), name: 'sdk' });
    await using call = await session.toolCall({ command: 'where am I', agentCallId: 'toolu_1', hint: 'memory:64m' });
    const result = await call.spawn('sh', ['-c', 'sed -n s/^0:://p /proc/self/cgroup; cat; echo oops >&2; exit 7'], {
      input: 'input\n',
    });
    expect(result).toMatchObject({
      call: 'sdk.1',
      failed: true,
      exitCode: 7,
      signal: null,
      stderr: 'oops\n',
      oomKilled: false,
      background: false,
      truncated: false,
    });
    expect(result.stdout).toMatch(/\/tenant-default\/session-sdk\/tool-1\ninput\n$/);
    expect(result).not.toHaveProperty('feedback');
    expect(result.durationMs).toBeGreaterThan(0);
    await session.end();
    const trace = readdirSync(daemon.paths.traceDir)
      .sort()
      .findLast((name) => name.includes('sdk'));
    const lines = readFileSync(join(daemon.paths.traceDir, trace!), 'utf8').trim().split('\n');
    const record = lines.map((line) => JSON.parse(line)).findLast((r) => r.type === 'call');
    expect(record).toMatchObject({
      call: 'sdk.1',
      via: 'sdk',
      command: 'where am I',
      agentCallId: 'toolu_1',
      exitCode: 7,
    });
    expect(record.hint).toBeDefined();
  });

  test('what a command leaves running ends with the call, the session leaves nothing', async () => {
    await using session = await attach(options());
    let pid: number;
    {
      await using call = await session.toolCall();
      const result = await call.spawn('sh', ['-c', 'setsid sleep 1000 & echo $!']);
      pid = Number(result.stdout);
      expect(result).toMatchObject({ exitCode: 0, background: true });
      // the shell has not waited for it to become that
      await expect.poll(() => statusOf(pid, 'Name'), { timeout: 10_000 }).toBe('sleep');
    }
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
    expect((await session.end())?.state).toBe('ended');
    expect(daemon.root.children()).toEqual([]);
  });

  test('time limit and abort end the whole call', async () => {
    await using session = await attach(options());
    const first = await session.toolCall();
    expect(await first.spawn('sh', ['-c', 'sleep 1000; true'], { timeoutMs: 100 })).toMatchObject({
      timedOut: true,
      isCanceled: false,
      signal: 'SIGKILL',
      failed: true,
    });
    const second = await session.toolCall();
    const abort = new AbortController();
    const running = second.spawn('sleep', ['1000'], { signal: abort.signal });
    abort.abort();
    expect(await running).toMatchObject({ timedOut: false, isCanceled: true, signal: 'SIGKILL' });
  });

  test('the time limit holds without a daemon', async () => {
    await using session = await attach(options());
    const call = await session.toolCall();
    const child = call.spawn('sh', ['-c', 'sleep 1000 & echo $!; wait'], { timeoutMs: 500 });
    const [line] = await once(child.stdout!, 'data');
    await daemon.crash();
    try {
      expect(await child).toMatchObject({ timedOut: true, signal: 'SIGKILL' });
      expect(isAlive(Number(line))).toBe(false);
    } finally {
      await daemon.startProcess();
    }
  });

  test('a command that has ended is not signalled any more, nor whoever has its descriptor now', async () => {
    await using session = await attach(options());
    await using first = await session.toolCall();
    await using second = await session.toolCall();
    const ended = first.spawn('true');
    await ended;
    const child = second.spawn('sleep', ['0.3']);
    ended.kill('SIGKILL');
    expect(await child).toMatchObject({ exitCode: 0 });
  });

  test('output comes as it is written, and what is too much of it is dropped', async () => {
    await using session = await attach(options());
    await using call = await session.toolCall();
    const child = call.spawn('sh', ['-c', 'echo first; read line; seq 1 100000'], { input: 'go\n', maxBuffer: 1000 });
    const chunks: string[] = [];
    child.stdout!.on('data', (chunk) => chunks.push(String(chunk)));
    const result = await child;
    expect(result).toMatchObject({ exitCode: 0, truncated: true });
    expect(result.stdout).toHaveLength(1000);
    expect(chunks.join('')).toHaveLength('first\n'.length + 588_895);
  });

  test('signals reach the command; a program that is not there is an error, and the call can still be used', async () => {
    await using session = await attach(options());
    await using call = await session.toolCall();
    expect(() => call.spawn('no-such-program')).toThrow('no program "no-such-program"');
    expect(() => call.spawn('/no/such/program')).toThrow('ENOENT');
    const child = call.spawn('sleep', ['1000']);
    child.kill('SIGTERM');
    expect(await child).toMatchObject({ signal: 'SIGTERM', exitCode: null });
    expect(() => call.spawn('true')).toThrow('open another call');
  });

  test('a daemon that is killed and started again in the middle loses nothing', async () => {
    await using session = await attach({ ...options(), name: 'restart' });
    await using call = await session.toolCall({ command: 'read' });
    const { child, go } = await waiting(call, 'exit 4');
    await daemon.crash();
    await daemon.startProcess();
    go();
    expect(await child).toMatchObject({ exitCode: 4, call: 'restart.1' });
    expect(await daemon.client.call('restart.1')).toMatchObject({ exitCode: 4, via: 'sdk' });
  });

  test('a daemon that comes back too late for the result finds how the command ended', async () => {
    await using session = await attach({ ...options(), name: 'late' });
    const ends = [
      { script: 'exit 5', ended: { exitCode: 5, signal: null } },
      { script: 'kill -9 $$', ended: { exitCode: null, signal: 'SIGKILL' } },
    ];
    const calls = await Promise.all(ends.map(() => session.toolCall()));
    const commands = await Promise.all(ends.map(({ script }, i) => waiting(calls[i]!, script)));
    await daemon.crash();
    for (const { go } of commands) go();
    const results = await Promise.all(commands.map(({ child }) => child));
    expect(results).toMatchObject(ends.map(({ ended }) => ended));
    await daemon.startProcess();
    const known = () => Promise.all(calls.map(({ id }) => daemon.client.call(id)));
    await expect
      .poll(known, { timeout: 10_000 })
      .toMatchObject(ends.map(({ ended }) => ({ ...ended, state: 'ended', end: expect.any(Number) })));
  });

  test('inside of `agentcgroup run` it joins the session it is in, and leaves it as it was', async () => {
    await daemon.client.createSession({ name: 'around' });
    vi.stubEnv('AGENTCGROUP_SESSION', 'around');
    vi.stubEnv('AGENTCGROUP_API', daemon.paths.apiSocket);
    try {
      await using session = await attach();
      await using call = await session.toolCall();
      expect(await call.spawn('true')).toMatchObject({ call: 'around.1', exitCode: 0 });
      await session.end();
      expect(await daemon.client.sessions()).toMatchObject([{ session: 'around', state: 'running' }]);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test('a record without a cgroup, for work inside another call', async () => {
    await using session = await attach({ ...options(), name: 'logged' });
    const open = await daemon.client.openCall(session.id, { tool: 'mcp:search', via: 'mcp', contained: false });
    expect(open).toMatchObject({ call: 'logged.1', state: 'running' });
    expect(open.cgroup).toBeUndefined();
    expect(await daemon.client.endCall(open.call, { isError: true })).toMatchObject({ state: 'ended', isError: true });
    expect(await daemon.client.calls({ session: session.id })).toMatchObject([{ tool: 'mcp:search', isError: true }]);
  });

  test('an announced id is found at the call of the same command, and only once', async () => {
    const session = await daemon.session({ name: 'announced' });
    await daemon.client.announce('announced', { agentCallId: 'toolu_A', command: 'exit 3' });
    await session.shell('exit 3').ended;
    await session.shell('exit 3').ended;
    const calls = await daemon.client.calls({ session: 'announced' });
    expect(calls.map((call) => call.agentCallId)).toEqual(['toolu_A', undefined]);
    expect(await daemon.client.calls({ agentCallId: 'toolu_A' })).toHaveLength(1);
  });
});
