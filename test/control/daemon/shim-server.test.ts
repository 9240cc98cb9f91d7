import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Engine } from '../../../src/control/daemon/engine.ts';
import { serveShims } from '../../../src/control/daemon/shim-server.ts';
import { encode } from '../../../src/control/intercept/index.ts';

const question = {
  type: 'open',
  ...{ shell: 'sh', args: ['sh', '-c', 'true'], argBytes: 11, cwd: '/', env: {} },
  ...{ stdinIsTty: false, interactive: false },
} as const;

test('who only holds connections makes room for who asks', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'acg-shims-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const asked: number[] = [];
  // every question waits for as long as the test lasts
  const open = (pid: number) => {
    asked.push(pid);
    return new Promise(() => {});
  };
  const engine = { open } as unknown as Engine;
  const reported: unknown[] = [];
  const shims = await serveShims(join(dir, 'shim.sock'), engine, (error) => reported.push(error), 3);
  onTestFinished(() => shims.close());
  const hungUp = new Set<string>();
  const sockets: Socket[] = [];
  onTestFinished(() => sockets.forEach((socket) => void socket.destroy()));
  const comes = async (name: string, ask: boolean) => {
    const socket = connect(join(dir, 'shim.sock'));
    sockets.push(socket);
    socket.on('error', () => {}).on('close', () => hungUp.add(name));
    socket.resume();
    await new Promise((done) => socket.once('connect', done));
    const before = asked.length;
    if (ask) socket.write(encode(question));
    await expect.poll(() => asked.length).toBe(before + (ask ? 1 : 0));
  };
  await comes('first', true);
  for (const name of ['idle 1', 'idle 2', 'idle 3', 'idle 4']) await comes(name, false);
  await expect.poll(() => [...hungUp]).toEqual(['idle 1', 'idle 2']);
  await comes('second', true);
  await comes('third', true);
  await expect.poll(() => [...hungUp]).toEqual(['idle 1', 'idle 2', 'idle 3', 'idle 4']);
  // nobody is idle: who comes now is turned away, who asks is not
  await comes('late', false);
  await expect.poll(() => [...hungUp].at(-1)).toBe('late');
  expect(asked).toEqual([process.pid, process.pid, process.pid]);
  expect(reported).toEqual([]);
});
