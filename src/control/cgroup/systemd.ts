/** Asking systemd for a cgroup of our own. Everything else about systemd is none of our business. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { AcgError } from '../../model/index.ts';
import type { Cgroup } from './cgroup.ts';

/** The unit that holds our tree when agentcgroup is not started as a service with a delegated cgroup of its own. */
export const SCOPE = 'agentcgroup.scope';

/** As sd_booted(3) decides it. */
export const systemdRuns = (): boolean => existsSync('/run/systemd/system');

/** Does systemd say that this cgroup is a unit it has delegated (Delegate=yes)? */
export function isDelegated(cgroup: Cgroup): boolean {
  if (!/\.(service|scope)$/.test(cgroup.name)) return false;
  try {
    const argv = ['show', '--property=Delegate', '--value', '--', cgroup.name];
    return execFileSync('systemctl', argv, { timeout: 15_000, encoding: 'utf8' }).trim() === 'yes';
  } catch (error) {
    throw new AcgError('ACG_CGROUP_DELEGATION', `systemctl show ${cgroup.name}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** The busctl call that puts `pid` into a delegated scope in the slice (org.freedesktop.systemd1(5), StartTransientUnit). */
export function scopeRequest(slice: string, pid: number): string[] {
  return [
    '--system',
    '--timeout=10',
    'call',
    'org.freedesktop.systemd1',
    '/org/freedesktop/systemd1',
    'org.freedesktop.systemd1.Manager',
    'StartTransientUnit',
    'ssa(sv)a(sa(sv))',
    SCOPE,
    'fail',
    '5',
    ...['Description', 's', 'agentcgroup: cgroups of agent sessions and tool calls'],
    ...['Slice', 's', slice],
    ...['Delegate', 'b', 'true'],
    ...['PIDs', 'au', '1', String(pid)],
    ...['CollectMode', 's', 'inactive-or-failed'],
    '0',
  ];
}

/**
 * Has systemd make `<slice>/agentcgroup.scope`, delegated, with this process in it, and waits until it is there: systemd
 * answers when the job is queued. Throws ACG_CGROUP_DELEGATION.
 */
export async function delegateBySystemd(slice: string, own: () => string | undefined): Promise<void> {
  try {
    await promisify(execFile)('busctl', scopeRequest(slice, process.pid), { timeout: 15_000 });
  } catch (error) {
    throw new AcgError('ACG_CGROUP_DELEGATION', String((error as { stderr?: string }).stderr || error).trim(), {
      cause: error,
    });
  }
  for (const end = Date.now() + 10_000; !own()?.endsWith(`/${slice}/${SCOPE}`); await sleep(20))
    if (Date.now() > end) throw new AcgError('ACG_CGROUP_DELEGATION', `${SCOPE} was not started within 10 s`);
}
