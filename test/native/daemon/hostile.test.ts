import { readdirSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encode, FrameReader, type Open } from '../../../src/control/intercept/index.ts';
import { cannotRun, cgroup2Mount } from '../scratch.ts';
import { TestDaemon } from './harness.ts';

const open: Open = {
  type: 'open',
  shell: 'bash',
  args: ['bash', '-c', 'true'],
  argBytes: 15,
  cwd: '/',
  env: {},
  stdinIsTty: false,
  interactive: false,
};

/** Sends bytes and hangs up or waits for the daemon to; resolves with the codes of the errors it answered. */
function talk(socket: string, parts: Uint8Array[], hangUp: boolean): Promise<string[]> {
  return new Promise((resolve) => {
    const codes: string[] = [];
    const reader = new FrameReader('daemon');
    const client = connect(socket);
    client.on('data', (chunk) => {
      for (const message of reader.push(chunk)) codes.push(message.type === 'error' ? message.code : message.type);
    });
    client.on('error', () => {});
    client.on('close', () => resolve(codes));
    for (const part of parts) client.write(part);
    if (hangUp) client.end();
  });
}

describe.skipIf(cannotRun)(`hostile clients${cannotRun ? ` (${cannotRun})` : ''}`, () => {
  test('garbage, wrong version, oversize, out of turn, foreign: an ACG_ error and the end of the conversation', async () => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!);
    const say = (...parts: Uint8Array[]) => talk(daemon.paths.shimSocket, parts, false);
    const header = (change: (bytes: Buffer) => void) => {
      const bytes = encode(open);
      change(bytes);
      return bytes;
    };
    expect(await say(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toEqual(['ACG_PROTOCOL']);
    expect(await say(header((b) => b.writeUInt16LE(2, 4)))).toEqual(['ACG_PROTOCOL_VERSION']);
    expect(await say(header((b) => b.writeUInt32LE(2 ** 31, 8)))).toEqual(['ACG_PROTOCOL']);
    expect(await say(header((b) => b.writeUInt16LE(99, 6)))).toEqual(['ACG_PROTOCOL']);
    expect(await say(encode({ type: 'ended', status: 0, userUsec: 0, systemUsec: 0, maxRssKib: 0 }))).toEqual([
      'ACG_PROTOCOL',
    ]);
    // this process is in no session: whatever it asks for is not its to ask
    expect(await say(encode(open))).toEqual(['ACG_FOREIGN_SESSION']);
    expect(await say(encode({ type: 'resume', call: '../../x.1', pid: 1 }))).toEqual(['ACG_NO_CALL']);
    expect((await daemon.client.health()).status).toBeDefined();
  });

  test('a call can be resumed by its own shim only', async () => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!);
    const session = await daemon.session({ name: 'mine' });
    const shell = session.shell('sleep 1000');
    await expect.poll(async () => (await session.calls()).length, { timeout: 5000 }).toBe(1);
    expect(
      await talk(daemon.paths.shimSocket, [encode({ type: 'resume', call: 'mine.1', pid: shell.pid })], false),
    ).toEqual(['ACG_NO_CALL']);
    expect((await session.calls())[0]?.state).toBe('running');
    await daemon.client.killCall('mine.1');
    await shell.ended;
  });

  test('any bytes, cut anywhere, hung up anywhen: the daemon lives and keeps no descriptor', async () => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!);
    const fds = () => readdirSync(`/proc/${daemon.process.pid}/fd`).length;
    const before = fds();
    const valid = encode(open);
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      fc.nat(valid.length - 1).map((n) => valid.subarray(0, n)),
      fc.tuple(fc.nat(valid.length - 1), fc.nat(255)).map(([at, byte]) => {
        const bytes = Buffer.from(valid);
        bytes[at] = byte;
        return bytes;
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(noise, { minLength: 1, maxLength: 4 }), async (parts) => {
        const codes = await talk(daemon.paths.shimSocket, parts, true);
        expect(codes.every((code) => code.startsWith('ACG_'))).toBe(true);
      }),
      { numRuns: 300 },
    );
    await expect.poll(fds, { timeout: 10_000 }).toBeLessThanOrEqual(before);
    expect((await daemon.client.health()).pid).toBe(daemon.process.pid);
  });

  test('a client that says nothing is dropped', async () => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!);
    const begin = performance.now();
    expect(await talk(daemon.paths.shimSocket, [encode(open).subarray(0, 7)], false)).toEqual([]);
    expect(performance.now() - begin).toBeGreaterThan(4000);
  }, 20_000);

  test('names that climb out of the tree, bodies of the wrong shape: ACG_BAD_REQUEST, and nothing is made', async () => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!);
    const post = (body: string) =>
      new Promise<{ status: number; code: string }>((resolve, reject) => {
        const ask = request(
          {
            socketPath: daemon.paths.apiSocket,
            method: 'POST',
            path: '/v1/sessions',
            headers: { 'content-type': 'application/json' },
          },
          (answer) => {
            let text = '';
            answer.on('data', (chunk) => (text += chunk));
            answer.on('end', () => resolve({ status: answer.statusCode!, code: JSON.parse(text).code }));
          },
        );
        ask.on('error', reject);
        ask.end(body);
      });
    for (const body of [
      '{"name":"../../escape"}',
      '{"name":"a/b"}',
      '{"tenant":".."}',
      '{"name":"cgroup.procs\\u0000"}',
      '{"memoryBytes":-1}',
      '{"cpuWeight":1e9}',
      '{"priority":"root"}',
      '[]',
      '{',
    ])
      expect(await post(body), body).toEqual({ status: 400, code: 'ACG_BAD_REQUEST' });
    expect(daemon.root.children()).toEqual([]);
    expect(readdirSync(join(daemon.paths.runDir)).sort()).toEqual(['api.sock', 'shim.sock']);
  });
});
