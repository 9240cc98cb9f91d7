/** Waiting for a cgroup file to change, by inotify: the kernel notifies `cgroup.events`, `memory.events`, `pids.events`. */
import { type FSWatcher, watch } from 'node:fs';
import { CgroupFileError } from './file.ts';

/**
 * Calls `onChange` whenever the kernel notifies `file`, until closed. Arm first, then read the file yourself: what changed
 * before is not told. All watches of a process share one inotify instance. The kernel holds notifications of one file back
 * for up to 10 ms when they come thick. Removing a cgroup gives no notification. Throws CgroupFileError: ENOENT when the
 * cgroup is gone, ENOSPC when fs.inotify.max_user_watches is used up.
 */
export function watchFile(file: string, onChange: () => void): FSWatcher {
  try {
    return watch(file, onChange);
  } catch (error) {
    throw new CgroupFileError('watch', file, error);
  }
}

/** What cannot be watched is looked at so often. */
const LOOK_MS = 50;

/** Others use up a machine's watches too (fs.inotify.max_user_watches, max_user_instances). */
const isOutOfWatches = (error: unknown): boolean =>
  error instanceof CgroupFileError && (error.errno === 'ENOSPC' || error.errno === 'EMFILE');

/**
 * Resolves with the first defined value of `check`, which is asked once after the watch is armed (so no change is lost)
 * and then after every change of `file`, or every 50 ms where the machine has no more watches. `check` must be defined for a removed cgroup. Rejects with the signal's reason.
 */
export function until<T>(file: string, check: () => T | undefined, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    let watcher: { close(): void } | undefined;
    const settle = (outcome: () => void) => {
      watcher?.close();
      signal?.removeEventListener('abort', onAbort);
      outcome();
    };
    const onAbort = () => settle(() => reject(signal?.reason));
    const look = () => {
      try {
        const value = check();
        if (value !== undefined) settle(() => resolve(value));
      } catch (error) {
        settle(() => reject(error));
      }
    };
    if (signal?.aborted) return onAbort();
    try {
      const watch = watchFile(file, look);
      watch.on('error', (error) => settle(() => reject(new CgroupFileError('watch', file, error))));
      watcher = watch;
    } catch (error) {
      const value = check();
      if (value !== undefined) return resolve(value);
      if (!isOutOfWatches(error)) return reject(error);
      const timer = setInterval(look, LOOK_MS);
      watcher = { close: () => clearInterval(timer) };
    }
    signal?.addEventListener('abort', onAbort, { once: true });
    look();
  });
}
