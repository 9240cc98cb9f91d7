import { closeSync, readFileSync } from 'node:fs';
import { type Cgroup2Mount, directoryOf, parseSelfCgroup } from '../cgroup/index.ts';
import { pidfdOpen, SyscallError, signalName, watchExit } from '../native/index.ts';
import type { ProcessId } from './kept.ts';

/** Exit code or signal from a wait(2) status. */
export function decodeWaitStatus(status: number): { exitCode: number | null; signal: string | null } {
  const signal = status & 0x7f;
  return signal === 0
    ? { exitCode: (status >> 8) & 0xff, signal: null }
    : { exitCode: null, signal: signalName(signal) };
}

/** Identifies a live process beyond the reuse of its pid; undefined when it is gone or a zombie. */
export function identify(pid: number): ProcessId | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // the second field, the name, may hold spaces and parentheses: count from its end
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (state === 'Z' || state === 'X') return undefined;
  return { pid, startTicks: Number(fields[18]) };
}

/** Is it still the same process? */
export function isAlive(id: ProcessId): boolean {
  return identify(id.pid)?.startTicks === id.startTicks;
}

/** The directory of the process's cgroup under this mount; undefined when the process is gone or the mount does not show it. */
export function cgroupDirectoryOf(pid: number, mount: Cgroup2Mount): string | undefined {
  try {
    const path = parseSelfCgroup(readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
    return path === undefined ? undefined : directoryOf(path, mount);
  } catch {
    return undefined;
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
