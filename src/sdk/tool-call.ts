import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DaemonClient } from '../control/client/index.ts';
import { setXattr, signalNumber, writeSmall } from '../control/native/index.ts';
import { AcgError, type CallRequest, type CallStatus, EXIT_XATTR, type Feedback } from '../model/index.ts';
import { type Left, type SpawnOptions, type Subprocess, start } from './subprocess.ts';

export type ToolCallOptions = Pick<CallRequest, 'tool' | 'command' | 'cwd' | 'hint' | 'agentCallId' | 'agentSessionId'>;

/** What became of a tool call: one shape, however it ended. What was not measured (no memory controller, ...) is absent. */
export interface ToolResult {
  call: string;
  /** Anything but exit status 0. */
  failed: boolean;
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** Output went beyond `maxBuffer`. */
  truncated: boolean;
  timedOut: boolean;
  isCanceled: boolean;
  oomKilled: boolean;
  /** Who ended it, if it was not the command itself. */
  killedBy?: CallStatus['killedBy'];
  durationMs: number;
  peakBytes?: number;
  limitBytes?: number;
  cpuUserUsec?: number;
  cpuSystemUsec?: number;
  heldMs?: number;
  throttledMs?: number;
  frozenMs?: number;
  /** Processes that the command left running; they end with the call's disposal, or with the session. */
  background: boolean;
  /** What to tell the model, when something happened to the call. */
  feedback?: Feedback;
}

/** How long the end of a call is offered to a daemon that is being restarted. */
const DAEMON_RETRIES = 10;
const DAEMON_RETRY_MS = 300;

/** One tool call: one command, and all that it starts, in a cgroup of its own. `await using` clears away what it leaves. */
export class ToolCall implements AsyncDisposable {
  readonly id: string;
  /** Directory of its cgroup. */
  readonly cgroup: string;
  readonly #client: DaemonClient;
  readonly #begin = performance.now();
  #spawned = false;
  #result: ToolResult | undefined;

  /** Use `session.toolCall`. */
  constructor(client: DaemonClient, status: CallStatus) {
    this.#client = client;
    this.id = status.call;
    this.cgroup = status.cgroup!;
  }

  /**
   * Starts the call's command, born in its cgroup, in a process session of its own. No shell is involved: for a command line
   * say `spawn('bash', ['-c', line])`. The promise resolves however the command ends; it rejects only when the command
   * cannot be started (ACG_BAD_REQUEST, SyscallError) or was started already.
   */
  spawn(file: string, args: readonly string[] = [], options: SpawnOptions = {}): Subprocess {
    if (this.#spawned) throw new AcgError('ACG_BAD_REQUEST', `${this.id} has had its command: open another call`);
    const fd = openSync(this.cgroup, 'r');
    let started: ReturnType<typeof start>;
    try {
      started = start(fd, file, args, options);
    } finally {
      closeSync(fd);
    }
    this.#spawned = true;
    const { pid, stdout, stderr, left, kill } = started;
    return Object.assign(this.#toEnd(left, kill, options), {
      pid,
      stdout,
      stderr,
      kill: (s = 'SIGTERM' as const) => kill(s),
    });
  }

  /** Kills everything in the call, background processes included. */
  async kill(): Promise<void> {
    try {
      await this.#client.killCall(this.id);
    } catch (error) {
      // it has ended by itself
      if (!(error instanceof AcgError && error.code === 'ACG_NO_CALL')) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#result || this.#result.background) await this.kill();
  }

  async #toEnd(
    left: Promise<Left>,
    kill: (signal: NodeJS.Signals) => void,
    { timeoutMs, signal }: SpawnOptions,
  ): Promise<ToolResult> {
    const why = { timedOut: false, isCanceled: false };
    const stop = (reason: keyof typeof why) => {
      why[reason] = true;
      // the result comes with the end of the command, by whatever means; without a daemon this side ends it
      this.kill().catch(() => this.#killAlone(kill));
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => stop('timedOut'), timeoutMs);
    const abort = () => stop('isCanceled');
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    try {
      const ended = await left;
      const record = await this.#ended(ended);
      this.#result = { ...resultOf(this.id, ended, record, performance.now() - this.#begin), ...why };
      return this.#result;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }

  /** All of the call as the daemon would, or at least the command, where the cgroup is another user's. */
  #killAlone(killCommand: (signal: NodeJS.Signals) => void): void {
    try {
      writeSmall(join(this.cgroup, 'cgroup.kill'), '1');
    } catch {
      killCommand('SIGKILL');
    }
  }

  /** Tells the daemon; undefined when none answers: the result then has what this side knows. */
  async #ended({ status }: Left): Promise<CallStatus | undefined> {
    for (let attempt = 0; attempt < DAEMON_RETRIES; attempt++) {
      try {
        return await this.#client.endCall(this.id, { exitCode: status.code, signal: status.signal });
      } catch (error) {
        if (!(error instanceof AcgError)) throw error;
        if (error.code !== 'ACG_NO_DAEMON') return undefined;
        await sleep(DAEMON_RETRY_MS);
      }
    }
    this.#leaveNote(status);
    return undefined;
  }

  /** For the next daemon, as the shim does: without it the call would go on there for as long as this process does. */
  #leaveNote({ code, signal }: Left['status']): void {
    if (code === null && signal === null) return;
    try {
      setXattr(this.cgroup, EXIT_XATTR, `${code === null ? signalNumber(signal!) : code << 8} ${Date.now()}`);
    } catch {
      // not ours to write when the daemon is another user's: it then hears only of our own end
    }
  }
}

function resultOf(call: string, left: Left, record: CallStatus | undefined, elapsedMs: number) {
  const { status, stdout, stderr, truncated } = left;
  const measured = {
    killedBy: record?.killedBy,
    peakBytes: record?.peakBytes,
    limitBytes: record?.limitBytes,
    cpuUserUsec: record?.cpuUserUsec,
    cpuSystemUsec: record?.cpuSystemUsec,
    heldMs: record?.heldMs,
    throttledMs: record?.throttledMs,
    frozenMs: record?.frozenMs,
    feedback: record?.feedback,
  };
  return {
    call,
    failed: status.code !== 0,
    exitCode: status.code,
    signal: status.signal,
    stdout,
    stderr,
    truncated,
    oomKilled: record?.oomKilled ?? false,
    durationMs: record?.durationMs ?? elapsedMs,
    background: record?.state === 'background',
    ...(Object.fromEntries(Object.entries(measured).filter(([, value]) => value !== undefined)) as Partial<ToolResult>),
  };
}
