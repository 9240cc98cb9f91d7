import { createHash } from 'node:crypto';
import { closeSync, fstatSync, lstatSync, mkdirSync, openSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AcgError } from '../../model/index.ts';
import { lockFile } from '../native/index.ts';

export interface Lock {
  close(): void;
}

/**
 * Makes this process the only one that holds `what`, until it closes the lock or dies: the kernel lets go of it then. The file is in a folder
 * that only this user can enter: whoever can open a file can lock it, and an agent that did would keep the next daemon from starting.
 * Throws ACG_DAEMON_RUNNING, ACG_FILE.
 */
export function holdAlone(what: string, directory = lockDirectory()): Lock {
  const path = join(directory, createHash('sha256').update(what).digest('hex').slice(0, 32));
  for (;;) {
    makeOurs(directory);
    const fd = open(path);
    // the folder has gone with the lock of another
    if (fd === undefined) continue;
    if (!lockFile(fd, path)) {
      closeSync(fd);
      throw new AcgError('ACG_DAEMON_RUNNING', what);
    }
    if (isStillAt(path, fd)) return { close: () => release(directory, path, fd) };
    // who held it until now has removed it: the file of that name is another one
    closeSync(fd);
  }
}

/** Of root's: in /run, where nobody else can put anything. */
function lockDirectory(): string {
  const uid = process.getuid!();
  return uid === 0 ? '/run/agentcgroup.locks' : join(tmpdir(), `agentcgroup-${uid}.locks`);
}

function makeOurs(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(directory);
  if ((mode & 0o170077) !== 0o040000 || uid !== process.getuid!())
    throw new AcgError('ACG_FILE', `${directory} is not a folder that only this user can enter`);
}

function open(path: string): number | undefined {
  try {
    return openSync(path, 'a', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function isStillAt(path: string, fd: number): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  return there?.ino === fstatSync(fd).ino;
}

/** The file goes before the lock does, or one that another has taken meanwhile would be removed; the folder goes with the last one. */
function release(directory: string, path: string, fd: number): void {
  rmSync(path, { force: true });
  closeSync(fd);
  try {
    rmdirSync(directory);
  } catch {
    // others are held
  }
}
