import { closeSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { type ExitStatus, pidfdSendSignal, pipe, spawn, watchExit } from '../control/native/index.ts';
import { findProgram } from './program.ts';
import type { ToolResult } from './tool-call.ts';

/** What happens to a stream of the command. */
export type Stdio = 'pipe' | 'inherit' | 'ignore';

export interface SpawnOptions {
  cwd?: string;
  /** The whole environment; default: this process's own. */
  env?: NodeJS.ProcessEnv;
  /** Written to the command's standard input, which is then closed; without it the command reads end of file. */
  input?: string | Uint8Array;
  /** Default `pipe`: readable as it comes, and whole in the result. */
  stdout?: Stdio;
  stderr?: Stdio;
  /** Kill the whole call after so long. */
  timeoutMs?: number;
  /** Kill the whole call when aborted. */
  signal?: AbortSignal;
  /** Bytes of each stream kept for the result, 10 MiB unless said otherwise; what follows is read and dropped. */
  maxBuffer?: number;
}

/** A running command: a promise of its result, and what can be done meanwhile. */
export interface Subprocess extends Promise<ToolResult> {
  readonly pid: number;
  /** null unless piped. */
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Signals the command itself; to end all of the call use its `kill`. */
  kill(signal?: NodeJS.Signals): void;
}

/** What a command left behind it. */
export interface Left {
  status: ExitStatus;
  stdout: string;
  stderr: string;
  truncated: boolean;
}

export interface Started {
  pid: number;
  stdout: Readable | null;
  stderr: Readable | null;
  left: Promise<Left>;
  kill(signal: NodeJS.Signals): void;
}

/** After the command's end its streams are waited for so long: a background process may keep them open for ever. */
const DRAIN_MS = 250;

/** Starts a program, born in the cgroup. Throws ACG_BAD_REQUEST when there is no such program, SyscallError. */
export function start(cgroupFd: number, file: string, args: readonly string[], options: SpawnOptions): Started {
  const env = options.env ?? process.env;
  const program = findProgram(file, env, options.cwd ?? process.cwd());
  using opened = new DisposableStack();
  const childs = (fd: number) => opened.adopt(fd, closeSync);
  const stdin = options.input === undefined ? undefined : pipe();
  const fds = [stdin ? childs(stdin.read) : childs(openSync('/dev/null', 'r'))];
  const output = ([1, 2] as const).map((number) => {
    const how = (number === 1 ? options.stdout : options.stderr) ?? 'pipe';
    const ends = how === 'pipe' ? pipe() : undefined;
    fds.push(ends ? childs(ends.write) : how === 'inherit' ? number : childs(openSync('/dev/null', 'w')));
    return ends && new Socket({ fd: ends.read, readable: true, writable: false });
  });
  const input = stdin && new Socket({ fd: stdin.write, readable: false, writable: true });
  const streams = output.filter((stream) => stream !== undefined);
  let child: ReturnType<typeof spawn>;
  try {
    child = spawn({
      file: program,
      argv: [file, ...args],
      env,
      fds,
      cgroupFd,
      newSession: true,
      cwd: options.cwd ?? '',
    });
  } catch (error) {
    for (const stream of [...streams, input]) stream?.destroy();
    throw error;
  }
  // a command that does not read its input closes it: that is its business
  input?.on('error', () => {}).end(options.input ?? '');
  const kept = output.map((stream) => keep(stream, options.maxBuffer ?? 10 * 2 ** 20));
  // its descriptor is another's then
  let ended = false;
  return {
    pid: child.pid,
    stdout: output[0] ?? null,
    stderr: output[1] ?? null,
    left: waitFor(child, streams, kept, () => {
      ended = true;
    }),
    kill: (signal) => {
      if (!ended) pidfdSendSignal(child.pidfd, signal);
    },
  };
}

interface Kept {
  text(): string;
  truncated: boolean;
}

function keep(stream: Readable | undefined, most: number): Kept {
  const parts: Buffer[] = [];
  let bytes = 0;
  const kept: Kept = { text: () => Buffer.concat(parts).toString(), truncated: false };
  stream?.on('error', () => {});
  stream?.on('data', (part: Buffer) => {
    if (bytes + part.length > most) kept.truncated = true;
    parts.push(part.subarray(0, Math.max(0, most - bytes)));
    bytes += part.length;
  });
  return kept;
}

async function waitFor(
  child: ReturnType<typeof spawn>,
  streams: Readable[],
  kept: Kept[],
  ended: () => void,
): Promise<Left> {
  const status = await new Promise<ExitStatus>((resolve) => {
    // null: someone else has reaped our child, and its status with it
    const unknown = { code: null, signal: null, userUsec: 0, systemUsec: 0, maxRssKib: 0 };
    watchExit(child, (exit) => {
      ended();
      closeSync(child.pidfd);
      resolve(exit ?? unknown);
    });
  });
  const late = AbortSignal.timeout(DRAIN_MS);
  await Promise.allSettled(streams.map((stream) => finished(stream, { writable: false, signal: late })));
  for (const stream of streams) stream.destroy();
  const [stdout, stderr] = kept;
  return {
    status,
    stdout: stdout!.text(),
    stderr: stderr!.text(),
    truncated: kept.some(({ truncated }) => truncated),
  };
}
