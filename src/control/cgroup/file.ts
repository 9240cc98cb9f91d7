/** Reading and writing one kernel file: the only place where a syscall on the cgroup file system can fail. */
import { constants, existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AcgError } from '../../model/index.ts';
import { readSmall, SyscallError, writeSmall } from '../native/index.ts';

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

/** The text of a kernel file; undefined when there is no such file (feature missing, or cgroup removed). */
export function readText(file: string): string | undefined {
  try {
    return readSmall(file);
  } catch (error) {
    if (error instanceof SyscallError && absent.has(error.errno)) return undefined;
    throw new CgroupFileError('read', file, error);
  }
}

/** Writes one value in one write(2), as the kernel demands. Throws CgroupFileError. */
export function writeText(file: string, text: string, flags = 0): void {
  try {
    writeSmall(file, text, flags);
  } catch (error) {
    throw new CgroupFileError('write', file, error);
  }
}

/** Neither O_CREAT nor O_TRUNC: a missing file is ENOENT, and the kernel keeps no attributes for files that were never truncated. */
const writing = constants.O_WRONLY;

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
