import type { Cgroup } from './cgroup.ts';
import { CgroupFileError } from './file.ts';

/** How often the subtree is gone through: a process caught in fork() leaves a child that only a second look finds. */
const looks = 3;

/** SIGKILL for every process of the subtree: by cgroup.kill, or where there is none frozen and one by one. */
export function killTree(root: Cgroup): void {
  try {
    if (root.write('cgroup.kill', true).enforced) return;
    root.write('cgroup.freeze', true);
  } catch (error) {
    if (error instanceof CgroupFileError && error.gone) return;
    throw error;
  }
  // Frozen processes do die of SIGKILL.
  for (let look = 0; look < looks; look++)
    for (const cgroup of root.walk()) for (const pid of cgroup.procs()) killProcess(pid);
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw new CgroupFileError('kill', String(pid), error);
  }
}
