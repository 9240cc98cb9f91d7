import { calling } from './addon.ts';

/**
 * The text of a kernel file, in a fraction of the time that Node's own reading takes. Throws SyscallError: ENOENT, ESRCH or ENODEV
 * when what it is about is gone.
 */
export function readSmall(path: string): string {
  return calling(path, (addon) => addon.readFile(path));
}

/** Writes a kernel file in one write(2). `flags` for open(2), beside O_WRONLY. A missing file is ENOENT. Throws SyscallError. */
export function writeSmall(path: string, text: string, flags = 0): void {
  calling(path, (addon) => addon.writeFile(path, text, flags));
}

/**
 * Takes the lock on an open file (flock(2), exclusive): false when another open file holds it. It ends with the descriptor, however the
 * process ends. Throws SyscallError.
 */
export function lockFile(fd: number, path: string): boolean {
  return calling(path, (addon) => addon.lock(fd));
}
