import { readdirSync } from 'node:fs';
import { calling, SyscallError } from './addon.ts';

/**
 * Gives all threads of a process the policy SCHED_EXT; what it forks from then on inherits it. False: this kernel has no such
 * policy, or the process may not be changed. A process that ends meanwhile is none to change.
 */
export function enlist(pid: number): boolean {
  return threads(pid).every((thread) => {
    try {
      calling(`thread ${thread}`, (native) => native.schedExt(Number(thread)));
      return true;
    } catch (error) {
      if (error instanceof SyscallError) return error.errno === 'ESRCH';
      throw error;
    }
  });
}

function threads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return [];
    throw error;
  }
}
