import { rmdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cgroup } from './cgroup.ts';
import { CgroupFileError } from './file.ts';

/** True when the directory is gone afterwards; false when processes or child cgroups hold it. */
export function tryRemove(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return true;
    if (code === 'EBUSY') return false;
    throw new CgroupFileError('rmdir', path, error);
  }
}

/**
 * Removes a subtree bottom-up. A populated cgroup is waited for by event. What is busy without being populated (a child
 * made meanwhile, a process between its death and its release) has no event to wait for: it is tried again after 1, 2,
 * 4, ... 64 ms, and given up after about 5 s with EBUSY.
 */
export async function removeTree(root: Cgroup, signal?: AbortSignal): Promise<void> {
  const patience = 80;
  for (let attempt = 0; ; attempt++) {
    for (const cgroup of root.walk()) tryRemove(cgroup.path);
    if (!root.exists()) return;
    signal?.throwIfAborted();
    if (root.populated()) {
      await root.waitEmpty(signal);
      continue;
    }
    if (attempt >= patience)
      throw new CgroupFileError('rmdir', root.path, Object.assign(new Error('still busy'), { code: 'EBUSY' }));
    await sleep(Math.min(2 ** attempt, 64), undefined, { ...(signal && { signal }) });
  }
}
