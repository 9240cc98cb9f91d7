import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { type Watch, watchPri } from '../native/index.ts';
import { CgroupFileError } from './file.ts';

/** When to call: stalled for `stallUsec` within any `windowUsec`; `some`: at least one task, `full`: all that could run. */
export interface StallTrigger {
  kind: 'some' | 'full';
  stallUsec: number;
  windowUsec: number;
}

/** Arms a PSI trigger on a pressure file (Documentation/accounting/psi.rst). undefined: there is no such file, or PSI is off. */
export function watchPressure(file: string, trigger: StallTrigger, onStall: () => void): Watch | undefined {
  const fd = armTrigger(file, trigger);
  if (fd === undefined) return undefined;
  let open = true;
  const close = () => {
    if (!open) return;
    open = false;
    watch.close();
    closeSync(fd);
  };
  // A removed cgroup makes the descriptor ready for ever: without the look at it this would call without end.
  const watch = watchPri(fd, () => (removed(fd) ? close() : onStall()));
  return { close, ref: watch.ref, unref: watch.unref, [Symbol.dispose]: close };
}

function removed(fd: number): boolean {
  try {
    readSync(fd, Buffer.alloc(1), 0, 1, 0);
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENODEV') return true;
    throw error;
  }
}

/** An open descriptor with the trigger in it, the caller's to close: closing it disarms. */
export function armTrigger(file: string, { kind, stallUsec, windowUsec }: StallTrigger): number | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(file, constants.O_RDWR | constants.O_NONBLOCK);
    // The kernel reads it as a string and wants the terminating zero (psi.rst, "Userspace monitor usage example").
    writeSync(fd, `${kind} ${stallUsec} ${windowUsec}\0`);
    return fd;
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    if (['ENOENT', 'EOPNOTSUPP', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw new CgroupFileError('arm', file, error);
  }
}
