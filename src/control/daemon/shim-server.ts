import { chmod, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { AcgError, asAcgError } from '../../model/index.ts';
import { type DaemonMessage, encode, FrameReader, type ShimMessage } from '../intercept/index.ts';
import { peer, sendWithFd } from '../native/index.ts';
import type { Call } from './call.ts';
import type { Engine, Opening } from './engine.ts';
import type { Session } from './session.ts';

/** A client that has not said a whole first message by then is dropped: shims speak at once. */
const FIRST_MESSAGE_MS = 5_000;
/** An answer that takes longer is announced, well within the time a shim waits by itself (3 s). */
const LATE_MS = 500;
/** Who has no question and no call goes first when there are more: nobody keeps others out by holding connections. */
const MAX_CONNECTIONS = 4096;

/**
 * Serves shims on a Unix socket until what is returned is closed: then shims are left to the next daemon, which they look for. Any user may
 * connect: what a process may do depends on the cgroup it is in.
 */
export async function serveShims(
  path: string,
  engine: Engine,
  report: (error: unknown, doing: string) => void,
  most = MAX_CONNECTIONS,
): Promise<{ close(): void }> {
  await rm(path, { force: true });
  const connections = new Set<Connection>();
  const server = createServer((socket) => {
    if (connections.size >= most) {
      const idle = [...connections].find((connection) => connection.idle);
      if (!idle) {
        socket.destroy();
        return;
      }
      idle.leave();
      connections.delete(idle);
    }
    const connection = new Connection(socket, engine, report);
    connections.add(connection);
    socket.once('close', () => connections.delete(connection));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  await chmod(path, 0o666);
  return {
    close: () => {
      server.close();
      for (const connection of connections) connection.leave();
    },
  };
}

/** What the policy has turned away is not to run at all; whatever else went wrong is for the shim's own configuration to decide. */
function refusal(error: unknown): Opening {
  if (!(error instanceof AcgError && error.code === 'ACG_LIMIT')) throw error;
  return {
    verdict: 'refused',
    text: `[agentcgroup] This command was not started: ${error.detail}. Try again when others have ended.`,
  };
}

/** One shim: OPEN or RESUME, then STARTED, then ENDED; whatever else it says ends the conversation. */
class Connection {
  readonly #socket: Socket;
  readonly #engine: Engine;
  readonly #report: (error: unknown, doing: string) => void;
  readonly #reader = new FrameReader('shim');
  /** The process that connected, as the kernel noted it. */
  readonly #pid: number;
  #held: { session: Session; call: Call } | undefined;
  /** Ends the connection of a client that is slow, or does not hang up after it was refused. */
  #deadline: NodeJS.Timeout;
  /** A connection asks once. */
  #asked = false;
  /** Set while the shim's question is open; aborted when it hangs up. */
  #asking: AbortController | undefined;
  #left = false;

  constructor(socket: Socket, engine: Engine, report: (error: unknown, doing: string) => void) {
    this.#socket = socket;
    this.#engine = engine;
    this.#report = report;
    this.#deadline = setTimeout(() => socket.destroy(), FIRST_MESSAGE_MS);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#lost());
    let pid = 0;
    try {
      pid = peer(socket).pid;
    } catch (error) {
      socket.destroy();
      report(error, 'identify a shim');
    }
    this.#pid = pid;
    socket.on('data', (chunk) => this.#take(chunk));
  }

  /** Neither asks nor has a call: it has said nothing yet, or has had its answer. */
  get idle(): boolean {
    return this.#asking === undefined && this.#held === undefined;
  }

  #take(chunk: Buffer): void {
    try {
      for (const message of this.#reader.push(chunk)) this.#handle(message);
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** Tells the client why and hangs up. */
  #refuse(error: unknown): void {
    const { code, message } = asAcgError(error);
    if (code === 'ACG_INTERNAL' || code === 'ACG_FILE' || code === 'ACG_CGROUP_FILE')
      this.#report(error, `serve shim ${this.#pid}`);
    this.#hangUp({ type: 'error', code, text: message });
  }

  /** The last word. */
  #hangUp(message: DaemonMessage): void {
    if (this.#socket.writable) this.#socket.end(encode(message));
    // nothing more is read: it would have no meaning
    this.#socket.removeAllListeners('data').resume();
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#socket.destroy(), FIRST_MESSAGE_MS);
  }

  #handle(message: ShimMessage): void {
    const held = this.#held;
    if (message.type === 'open' && !held && !this.#asked) this.#open(message).catch((error) => this.#refuse(error));
    else if (message.type === 'resume' && !held && !this.#asked) this.#resume(message.call);
    else if (message.type === 'ended' && held) {
      this.#held = undefined;
      held.call.attached = false;
      this.#send({ type: 'closed', text: this.#engine.calls.ended(held.session, held.call, message) });
    } else if (message.type !== 'started' || !held) throw new AcgError('ACG_PROTOCOL', `${message.type} out of turn`);
  }

  async #open(message: Extract<ShimMessage, { type: 'open' }>): Promise<void> {
    this.#asked = true;
    const asking = new AbortController();
    this.#asking = asking;
    // the answer may take as long as the policy lets a call wait
    clearTimeout(this.#deadline);
    // a shim that hears nothing takes the daemon for dead; one that is told to wait, waits
    const late = setTimeout(() => this.#send({ type: 'queued' }), LATE_MS);
    const opening = await this.#engine
      .open(this.#pid, message, asking.signal)
      .catch(refusal)
      .finally(() => {
        clearTimeout(late);
        this.#asking = undefined;
      });
    if (opening.verdict !== 'contained') {
      this.#hangUp({ type: 'opened', call: 'none', ...opening });
      return;
    }
    const { session, call } = opening;
    this.#attach(session, call);
    if (this.#socket.destroyed) {
      this.#lost();
      return;
    }
    const { oomScoreAdj } = session.kept;
    const { schedExt } = this.#engine;
    const answer = encode({ type: 'opened', verdict: 'contained', call: call.id, oomScoreAdj, schedExt });
    call.withFd((fd) => sendWithFd(this.#socket, answer, fd));
  }

  /** The shim of a call that an earlier daemon opened. Only the process that the call names may speak for it. */
  #resume(id: string): void {
    const found = this.#engine.statuses.find(id);
    if (!found || found.call.kept.shim?.pid !== this.#pid) throw new AcgError('ACG_NO_CALL', id);
    this.#attach(found.session, found.call);
    this.#send({ type: 'resumed' });
  }

  #attach(session: Session, call: Call): void {
    this.#held = { session, call };
    call.attached = true;
    call.awaited = false;
    clearTimeout(this.#deadline);
  }

  #send(message: DaemonMessage): void {
    if (this.#socket.writable) this.#socket.write(encode(message));
  }

  /** The daemon goes; the shim and its call stay. */
  leave(): void {
    this.#left = true;
    clearTimeout(this.#deadline);
    this.#socket.destroy();
  }

  #lost(): void {
    clearTimeout(this.#deadline);
    if (this.#left) return;
    this.#asking?.abort();
    const held = this.#held;
    this.#held = undefined;
    if (!held) return;
    held.call.attached = false;
    this.#engine.calls.shimLost(held.session, held.call);
  }
}
