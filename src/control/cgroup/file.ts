/** Reading and writing one kernel file: the only place where a syscall on the cgroup file system can fail. */
import { closeSync, constants, existsSync, openSync, readSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AcgError } from '../../model/index.ts';
import { SyscallError } from '../native/index.ts';

/** A refused operation on a cgroup file or directory, with everything needed to say why. */
export class CgroupFileError extends AcgError {
  readonly operation: string;
  readonly file: string;
  /** `EBUSY`, `EPERM`, ... */
  readonly errno: string;
  /** The cgroup was removed meanwhile: normal where others remove cgroups too. */
  readonly gone: boolean;

  constructor(operation: string, file: string, cause: unknown, cgroup = dirname(file)) {
    const errno = cause instanceof SyscallError ? cause.errno : ((cause as NodeJS.ErrnoException).code ?? 'unknown');
    super('ACG_CGROUP_FILE', `${operation} ${file}: ${errno}`, { cause });
    this.name = 'CgroupFileError';
    this.operation = operation;
    this.file = file;
    this.errno = errno;
    this.gone = errno === 'ENODEV' || (errno === 'ENOENT' && !existsSync(cgroup));
  }
}

/** ENOENT: no such file, its cgroup removed or its feature missing. ENODEV: removed between open and read. EOPNOTSUPP: PSI is switched off. */
const absent = new Set(['ENOENT', 'ENODEV', 'EOPNOTSUPP', 'ENOTSUP']);

const buffer = Buffer.allocUnsafe(64 * 1024);

/** The text of a kernel file; undefined when there is no such file (feature missing, or cgroup removed). */
export function readText(file: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY);
  } catch (error) {
    if (absent.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw new CgroupFileError('read', file, error);
  }
  try {
    let text = '';
    for (;;) {
      const n = readSync(fd, buffer);
      if (n === 0) return text;
      text += buffer.toString('latin1', 0, n);
    }
  } catch (error) {
    if (absent.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw new CgroupFileError('read', file, error);
  } finally {
    closeSync(fd);
  }
}

/** Node opens close-on-exec. Neither O_CREAT nor O_TRUNC: a missing file is ENOENT, and the kernel keeps no attributes for files that were never truncated. */
const writing = constants.O_WRONLY;

/** Writes one value in one write(2), as the kernel demands. Throws CgroupFileError. */
export function writeText(file: string, text: string, flags = 0): void {
  try {
    const fd = openSync(file, writing | flags);
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new CgroupFileError('write', file, error);
  }
}

/** The same off the event loop, for writes in which the kernel may work for long (reclaim, limits on older kernels). */
export async function writeTextAsync(file: string, text: string, flags = 0): Promise<void> {
  try {
    const handle = await open(file, writing | flags);
    try {
      await handle.write(text);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new CgroupFileError('write', file, error);
  }
}
