import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const prefix = 'agentcgroup-lab-';

/**
 * When process `pid` started, in clock ticks since the host's boot (field 22 of /proc/PID/stat): with the pid it names a
 * process for good. undefined when there is no such process.
 */
export function startTime(pid: number): string | undefined {
  try {
    // the command name, field 2, may hold spaces and parentheses
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').pop()!.split(' ')[19];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ESRCH') return;
    throw error;
  }
}

/**
 * A folder for the sockets and files of one boot, `agentcgroup-lab-PID-STARTTIME-XXXXXX` in the temporary folder. Its name
 * says whose it is: those whose owner is gone (killed with SIGKILL) are removed here, at the next run.
 */
export async function makeRunFolder(): Promise<string> {
  await sweepRunFolders();
  // Not TMPDIR when that is long: a Unix socket's path has at most 107 bytes.
  const base = tmpdir().length <= 40 ? tmpdir() : '/tmp';
  return mkdtemp(join(base, `${prefix}${process.pid}-${startTime(process.pid)}-`));
}

async function sweepRunFolders(): Promise<void> {
  for (const base of new Set([tmpdir(), '/tmp']))
    for (const entry of await readdir(base).catch(() => [])) {
      const owner = parseRunFolder(entry);
      if (owner && startTime(owner.pid) !== owner.startTime)
        await rm(join(base, entry), { recursive: true, force: true });
    }
}

/** The owner that a run folder's name tells. Pure. */
export function parseRunFolder(name: string): { pid: number; startTime: string } | undefined {
  const m = /^agentcgroup-lab-(\d{1,10})-(\d{1,20})-[A-Za-z0-9]{6}$/.exec(name);
  return m ? { pid: Number(m[1]), startTime: m[2]! } : undefined;
}
