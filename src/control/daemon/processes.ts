import { closeSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cgroup, type Cgroup2Mount, directoryOf, parseSelfCgroup } from '../cgroup/index.ts';
import { pidfdOpen, readSmall, SyscallError, signalName, watchExit } from '../native/index.ts';
import type { ProcessId } from './kept.ts';

/** Exit code or signal from a wait(2) status. */
export function decodeWaitStatus(status: number): { exitCode: number | null; signal: string | null } {
  const signal = status & 0x7f;
  return signal === 0
    ? { exitCode: (status >> 8) & 0xff, signal: null }
    : { exitCode: null, signal: signalName(signal) };
}

/** Undefined for a file of a process that is gone; what else went wrong is thrown on. */
function ifGone(error: unknown): undefined {
  if (error instanceof SyscallError && (error.errno === 'ENOENT' || error.errno === 'ESRCH')) return undefined;
  throw error;
}

/** Identifies a live process beyond the reuse of its pid; undefined when it is gone or a zombie. */
export function identify(pid: number): ProcessId | undefined {
  const stat = readStat(pid);
  return stat && { pid, startTicks: stat.startTicks };
}

/** A live process's parent and start; undefined when it is gone or a zombie. */
export function readStat(pid: number): { parent: number; startTicks: number } | undefined {
  let stat: string;
  try {
    stat = readSmall(`/proc/${pid}/stat`);
  } catch (error) {
    return ifGone(error);
  }
  // the second field, the name, may hold spaces and parentheses: count from its end
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (state === 'Z' || state === 'X') return undefined;
  return { parent: Number(fields[0]), startTicks: Number(fields[18]) };
}

/** Is it still the same process? */
export function isAlive(id: ProcessId): boolean {
  return identify(id.pid)?.startTicks === id.startTicks;
}

/** The directory of the process's cgroup under this mount; undefined when the process is gone or the mount does not show it. */
export function cgroupDirectoryOf(pid: number, mount: Cgroup2Mount): string | undefined {
  try {
    const path = parseSelfCgroup(readSmall(`/proc/${pid}/cgroup`));
    return path === undefined ? undefined : directoryOf(path, mount);
  } catch (error) {
    return ifGone(error);
  }
}

/** Name and peak resident memory of a process; undefined when it is gone or a kernel thread. */
export function peakResident(pid: number): { comm: string; rssBytes: number } | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const comm = /^Name:\t(.*)$/m.exec(status)?.[1];
    const kib = /^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1];
    return comm === undefined || kib === undefined ? undefined : { comm, rssBytes: Number(kib) * 1024 };
  } catch {
    return undefined;
  }
}

/** Calls back once when the process is gone, at once when it is gone already. Does not keep the event loop alive. */
export function onGone(id: ProcessId, gone: () => void): { close(): void } {
  let pidfd: number;
  try {
    pidfd = pidfdOpen(id.pid);
  } catch (error) {
    if (!(error instanceof SyscallError && error.errno === 'ESRCH')) throw error;
    gone();
    return { close() {} };
  }
  try {
    // the pid may have been given again before the descriptor was ours
    if (!isAlive(id)) {
      gone();
      return { close() {} };
    }
    const watch = watchExit({ pidfd }, gone);
    watch.unref();
    return watch;
  } finally {
    closeSync(pidfd);
  }
}

/** What a process was started as, for a record; empty when it is gone. */
export function commandLine(pid: number): { command: string; cwd: string | undefined } {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0$/, '').replaceAll('\0', ' ');
    return { command, cwd: readlinkSync(`/proc/${pid}/cwd`) };
  } catch {
    return { command: '', cwd: undefined };
  }
}

/** A tree that keeps forking is chased so many times; what is born in the new cgroup needs no chase. */
const MOST_PASSES = 20;

/**
 * Moves a process and all that descends from it out of the cgroup `from` into `to`, and gives them `oomScoreAdj`. What has left
 * the tree by losing its parent is not found. A process that ends meanwhile is none to move.
 */
export function moveTree(root: number, from: Cgroup, to: Cgroup, oomScoreAdj: number): void {
  const tree = new Set([root]);
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    const left = from.procs();
    const parents = new Map(left.map((pid) => [pid, readStat(pid)?.parent]));
    // parents may stand behind their children in the list
    for (let size = 0; size !== tree.size; ) {
      size = tree.size;
      for (const [pid, parent] of parents) if (parent !== undefined && tree.has(parent)) tree.add(pid);
    }
    const moving = left.filter((pid) => tree.has(pid));
    if (moving.length === 0) return;
    for (const pid of moving) move(pid, to, oomScoreAdj);
  }
}

function move(pid: number, to: Cgroup, oomScoreAdj: number): void {
  try {
    writeFileSync(join(to.path, 'cgroup.procs'), String(pid));
  } catch (error) {
    // it has ended
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
    throw error;
  }
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(oomScoreAdj));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // it has ended; or scores may not be changed here, as they could not be when the agent was to be protected
    if (code !== 'ENOENT' && code !== 'ESRCH' && code !== 'EACCES') throw error;
  }
}
