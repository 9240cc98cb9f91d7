import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import {
  type DaemonMessage,
  type Ended,
  encode,
  FrameReader,
  type Open,
  type Opened,
  type ShimMessage,
} from '../../src/control/intercept/index.ts';
import { sendWithFd } from '../../src/control/native/index.ts';

/** What the test daemon saw of one call. */
export interface SeenCall {
  open: Open;
  cgroup: string;
  pid?: number;
  ended?: Ended;
  /** The shim hung up before it reported the end. */
  lost?: boolean;
  resumed?: boolean;
}

export interface Answer {
  opened?: Partial<Opened>;
  /** Instead of OPENED. */
  messages?: DaemonMessage[];
  delayMs?: number;
  closed?: string;
}

/** The smallest daemon that can serve shims: a cgroup per call beside the agent leaf, and a memory of what was said. */
export class ShimDaemon {
  readonly calls: SeenCall[] = [];
  answer: (open: Open) => Answer = () => ({});
  /** Every RESUME is refused. */
  forget = false;
  readonly #session: string;
  readonly #socket: string;
  readonly #connections = new Set<Socket>();
  #server: Server | undefined;
  #made = 0;

  constructor(session: string, socket: string) {
    this.#session = session;
    this.#socket = socket;
  }

  async listen(): Promise<void> {
    if (existsSync(this.#socket)) unlinkSync(this.#socket);
    this.#server = createServer((socket) => this.#serve(socket));
    await new Promise<void>((ready) => this.#server!.listen(this.#socket, ready));
  }

  /** As a killed daemon would: all connections gone, and the socket file stays. */
  async die(): Promise<void> {
    const server = this.#server!;
    this.#server = undefined;
    await new Promise<void>((done) => {
      server.close(() => done());
      for (const connection of this.#connections) connection.destroy();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server) await this.die();
    for (const { cgroup } of this.calls) await removeCgroup(cgroup);
  }

  #serve(socket: Socket): void {
    const reader = new FrameReader('shim');
    const server = this.#server;
    let call: SeenCall | undefined;
    this.#connections.add(socket);
    socket.on('data', async (chunk) => {
      for (const message of reader.push(chunk)) call = (await this.#handle(socket, message, call)) ?? call;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#connections.delete(socket);
      // Not when it is the daemon that goes.
      if (call && !call.ended && this.#server === server) {
        call.lost = true;
        writeFileSync(join(call.cgroup, 'cgroup.kill'), '1');
      }
    });
  }

  async #handle(socket: Socket, message: ShimMessage, call: SeenCall | undefined): Promise<SeenCall | undefined> {
    switch (message.type) {
      case 'open':
        return this.#open(socket, message);
      case 'started':
        call!.pid = message.pid;
        return undefined;
      case 'ended':
        if (!call) return undefined;
        call.ended = message;
        socket.end(encode({ type: 'closed', text: this.answer(call.open).closed ?? '' }));
        return undefined;
      case 'resume': {
        if (this.forget) {
          socket.end(encode({ type: 'error', code: 'ACG_NO_CALL', text: message.call }));
          return undefined;
        }
        const known = this.calls.find(({ cgroup }) => cgroup.endsWith(`/${message.call}`))!;
        known.resumed = true;
        socket.write(encode({ type: 'resumed' }));
        return known;
      }
    }
  }

  async #open(socket: Socket, open: Open): Promise<SeenCall> {
    const name = `tool-${++this.#made}`;
    const call: SeenCall = { open, cgroup: join(this.#session, name) };
    mkdirSync(call.cgroup);
    this.calls.push(call);
    const { opened, messages, delayMs } = this.answer(open);
    for (const message of messages ?? []) socket.write(encode(message));
    if (delayMs) await new Promise((done) => setTimeout(done, delayMs));
    if (messages && !opened) return call;
    const reply = encode({ type: 'opened', verdict: 'contained', call: name, ...opened });
    if (opened?.verdict && opened.verdict !== 'contained') socket.write(reply);
    else if (!socket.destroyed) {
      const fd = openSync(call.cgroup, 'r');
      try {
        sendWithFd(socket, reply, fd);
      } catch {
        // killed meanwhile: its end of the socket says so
      }
      closeSync(fd);
    }
    return call;
  }
}

/** Kills what is inside and removes it. */
export async function removeCgroup(path: string): Promise<void> {
  if (!existsSync(path)) return;
  writeFileSync(join(path, 'cgroup.kill'), '1');
  for (let i = 0; i < 300 && readFileSync(join(path, 'cgroup.events'), 'utf8').includes('populated 1'); i++)
    await new Promise((done) => setTimeout(done, 5));
  rmdirSync(path);
}
