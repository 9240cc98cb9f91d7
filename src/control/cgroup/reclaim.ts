import { join } from 'node:path';
import { CgroupFileError, writeTextAsync } from './file.ts';

/** What came of asking for memory back. `partial`: the kernel gave up before the whole amount. */
export type Reclaimed = 'whole' | 'partial' | 'unsupported' | 'gone';

/** Writes memory.reclaim of the cgroup directory, in the thread pool. Throws CgroupFileError. */
export async function reclaim(path: string, bytes: number): Promise<Reclaimed> {
  try {
    await writeTextAsync(join(path, 'memory.reclaim'), String(Math.floor(bytes)));
    return 'whole';
  } catch (error) {
    if (!(error instanceof CgroupFileError)) throw error;
    if (error.gone) return 'gone';
    if (error.errno === 'EAGAIN') return 'partial';
    if (error.errno === 'ENOENT') return 'unsupported';
    throw error;
  }
}
