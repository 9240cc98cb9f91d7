import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { AcgError } from '../../model/index.ts';

/** What native/addon exports, as it is: the other files of this room give it names, types and errors. */
export interface Addon {
  spawn(
    file: string,
    argv: string[],
    env: string[],
    fds: number[],
    cwd: string,
    cgroupFd: number,
    uid: number,
    gid: number,
    newSession: boolean,
  ): [pid: number, pidfd: number];
  pipe(): [read: number, write: number];
  pidfdOpen(pid: number): number;
  pidfdSendSignal(pidfd: number, signal: number): void;
  reap(
    pidfd: number,
  ): [code: number, signal: number, userUsec: number, systemUsec: number, maxRssKib: number] | null | undefined;
  duplicate(fd: number): number;
  watchStart(listener: (id: number) => void): void;
  watchArm(fd: number, id: number, priority: boolean, again: boolean): void;
  watchDrop(fd: number): void;
  watchHold(hold: boolean): void;
  peer(fd: number): [pid: number, uid: number, gid: number];
  peerPidfd(fd: number): number;
  sendWithFd(socket: number, bytes: Uint8Array, fd: number): number;
  getXattr(place: string | number, name: string): Buffer | null;
  setXattr(place: string | number, name: string, value: Uint8Array): void;
  listXattr(place: string | number): string[];
  removeXattr(place: string | number, name: string): boolean;
  statfsType(path: string): number;
  readFile(path: string): string;
  writeFile(path: string, text: string, flags: number): void;
  lock(fd: number): boolean;
  schedExt(tid: number): void;
}

/** The package's own directory: this file is at src/control/native in a checkout, at dist/control/native when installed. */
const packageRoot = resolve(import.meta.dirname, '../../..');

/** Where the native files for this machine are, built or shipped. */
export const prebuiltDirectory = join(packageRoot, 'prebuilt', `linux-${process.arch}`);

/** The path of a native program. Throws ACG_NATIVE_MISSING when it is not there. */
export function nativeProgram(name: 'agentcgroup-shell' | 'agentcgroup-enter'): string {
  const path = join(prebuiltDirectory, name);
  if (!existsSync(path)) throw new AcgError('ACG_NATIVE_MISSING', path);
  return path;
}

let loaded: Addon | undefined;

/** The addon, loaded at its first use: commands that need none of it start without it. Throws ACG_NATIVE_MISSING. */
export function addon(): Addon {
  if (loaded) return loaded;
  const path = join(prebuiltDirectory, 'agentcgroup.node');
  try {
    loaded = createRequire(import.meta.url)(path) as Addon;
  } catch (cause) {
    const why = existsSync(path) ? `${path}: ${cause instanceof Error ? cause.message : cause}` : path;
    throw new AcgError('ACG_NATIVE_MISSING', why, { cause });
  }
  return loaded;
}

/** A system call that failed. `errno` is the name, as in `ENOENT`; `syscall` the call that returned it. */
export class SyscallError extends AcgError {
  readonly syscall: string;
  readonly errno: string;

  constructor(syscall: string, errno: string, context: string) {
    super('ACG_SYSCALL', `${syscall}: ${errno}${context && ` (${context})`}`);
    this.name = 'SyscallError';
    this.syscall = syscall;
    this.errno = errno;
  }
}

/** Runs a call of the addon; what the kernel refused becomes a SyscallError. `context` says what it was about. */
export function calling<T>(context: string, call: (addon: Addon) => T): T {
  const native = addon();
  try {
    return call(native);
  } catch (error) {
    const { syscall, errno } = error as { syscall?: unknown; errno?: unknown };
    if (typeof syscall !== 'string' || typeof errno !== 'number') throw error;
    throw new SyscallError(syscall, getSystemErrorName(-errno), context);
  }
}
