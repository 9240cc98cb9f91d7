import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { BootFailure, LabFailure } from './failures.ts';
import {
  type CommandEnd,
  encodeFrame,
  encodeJob,
  type Frame,
  FrameReader,
  type Job,
  parseExitReport,
} from './frames.ts';
import type { Tethered } from './tethered.ts';

/** Talks to the terminal of a running command. */
export interface GuestTerminal {
  input(data: Buffer): void;
  resize(rows: number, columns: number): void;
}

export interface ConversationOptions {
  job: Omit<Job, 'clockMs'>;
  /** From the start of the command to its end; 0: no limit. */
  timeoutMs: number;
  onStdout: (chunk: Buffer) => void | Promise<void>;
  onStderr: (chunk: Buffer) => void | Promise<void>;
  onNotice: (text: string) => void;
  onTerminal?: ((terminal: GuestTerminal) => void) | undefined;
}

export interface Programs {
  qemu: Tethered;
  /** virtiofsd, once or twice. */
  servers: Tethered[];
}

export interface CommandReport extends CommandEnd {
  guestKernel: string;
  /** When the guest was ready and when the command was over, on performance.now()'s clock. */
  readyAt: number;
  endAt: number;
}

/**
 * The conversation with the guest over its port, from "ready" to the command's end. `onReady` is called once. Throws
 * BootFailure when the guest dies before the command has started, LabFailure afterwards: then it may have had effects.
 * Aborts `stop` with such an error when only something else can tell: the command's time is over, a file server died.
 */
export async function converse(
  socket: Socket,
  { qemu, servers }: Programs,
  options: ConversationOptions,
  stop: AbortController,
  onReady: () => void,
): Promise<CommandReport> {
  let ready: { guestKernel: string; readyAt: number } | undefined;
  let commandTimer: NodeJS.Timeout | undefined;
  const dead = (why: string) => (ready ? new LabFailure('ACG_LAB_DIED', why) : new BootFailure(why));
  socket.on('error', () => {}); // the loop below gets it; a late one, from a write to a dying guest, says nothing new
  for (const server of servers)
    void server.exit().then(async (how) => {
      // virtiofsd goes when QEMU goes: then QEMU's words are the reason
      stop.abort(dead(await Promise.race([qemu.exit(), delay(500, how, { ref: false })])));
    });

  const start = (guestKernel: string) => {
    onReady();
    ready = { guestKernel, readyAt: performance.now() };
    socket.write(encodeFrame('S', encodeJob({ ...options.job, clockMs: Date.now() })));
    options.onTerminal?.({
      input: (data) => socket.write(encodeFrame('I', data)),
      resize: (rows, columns) => socket.write(encodeFrame('W', `${rows} ${columns}`)),
    });
    if (options.timeoutMs > 0)
      commandTimer = setTimeout(
        () => stop.abort(new LabFailure('ACG_LAB_TIMEOUT', `still running after ${options.timeoutMs / 1000} s`)),
        Math.min(options.timeoutMs, 2 ** 31 - 1), // a longer timer would go off at once
      );
  };

  /** The report of an exit frame; undefined for any other frame. */
  const take = async ({ type, payload }: Frame): Promise<CommandReport | undefined> => {
    if ((type === 'R') === (ready !== undefined) && type !== 'F' && type !== 'N')
      throw dead(`frame ${JSON.stringify(type)} out of turn`);
    switch (type) {
      case 'R':
        return void start(payload.toString());
      case 'O':
        return void (await options.onStdout(payload));
      case 'E':
        return void (await options.onStderr(payload));
      case 'N':
        return void options.onNotice(payload.toString());
      case 'X':
        return { ...unlessDead(() => parseExitReport(payload.toString())), ...ready!, endAt: performance.now() };
      case 'F':
        throw dead(payload.toString());
      default:
        throw dead(`unknown frame ${JSON.stringify(type)} from the guest`);
    }
  };
  const unlessDead = <T>(read: () => T): T => {
    try {
      return read();
    } catch (error) {
      throw dead((error as Error).message);
    }
  };

  const reader = new FrameReader();
  try {
    for await (const chunk of socket)
      for (const frame of unlessDead(() => reader.push(chunk))) {
        const report = await take(frame);
        if (report) return report;
      }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
  } finally {
    clearTimeout(commandTimer);
  }
  throw dead(await qemu.exit());
}
