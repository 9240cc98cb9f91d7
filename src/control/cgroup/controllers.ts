import { readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { AcgError } from '../../model/index.ts';
import { Cgroup } from './cgroup.ts';
import { CgroupFileError } from './file.ts';

/** The controllers agentcgroup uses, most needed first. */
export const wantedControllers = ['memory', 'pids', 'cpu', 'io'] as const;

export interface Enabled {
  /** Controllers that `to` can now use for its children. */
  enabled: string[];
  /** The rest, each with the reason. */
  missing: { controller: string; why: string }[];
}

/**
 * Enables controllers in the `cgroup.subtree_control` of every cgroup from `from` (the mount's root, or the delegated one)
 * down to `to`, so that the children of `to` have them. A controller that is not there is reported, not an error. Throws
 * ACG_CGROUP_BUSY when a cgroup on the way holds processes (no internal processes: cgroup v2 forbids both), which the
 * root of the whole hierarchy alone may.
 */
export function enableControllers(from: Cgroup, to: Cgroup, wanted: readonly string[] = wantedControllers): Enabled {
  const way = [from];
  for (const part of relative(from.path, to.path).split(sep)) {
    if (part === '..') throw new AcgError('ACG_INTERNAL', `${to.path} is not below ${from.path}`);
    if (part) way.push(new Cgroup(join(way.at(-1)!.path, part)));
  }
  const missing = new Map<string, string>();
  for (const cgroup of way) {
    const offered = cgroup.read('cgroup.controllers') ?? [];
    const on = cgroup.read('cgroup.subtree_control') ?? [];
    for (const controller of wanted) {
      if (missing.has(controller) || on.includes(controller)) continue;
      const why = offered.includes(controller) ? enable(cgroup, controller) : whyNotOffered(controller, cgroup).why;
      if (why) missing.set(controller, why);
    }
  }
  return {
    enabled: wanted.filter((c) => !missing.has(c)),
    missing: [...missing].map(([controller, why]) => ({ controller, why })),
  };
}

/** One at a time: a write of several is refused whole when one of them is. Returns why not, or undefined when it is on. */
function enable(cgroup: Cgroup, controller: string): string | undefined {
  try {
    cgroup.write('cgroup.subtree_control', [`+${controller}`]);
    return undefined;
  } catch (error) {
    if (!(error instanceof CgroupFileError)) throw error;
    if (error.errno === 'EBUSY' && cgroup.procs().length > 0)
      throw new AcgError('ACG_CGROUP_BUSY', `${cgroup.path} has ${describe(cgroup.procs())}`, { cause: error });
    if (error.gone) throw error;
    if (['EACCES', 'EPERM', 'EROFS'].includes(error.errno))
      return `not allowed to enable it in ${cgroup.path} (${error.errno})`;
    // EBUSY without processes: a sibling hierarchy or a threaded cgroup; EOPNOTSUPP: an invalid domain; ENOENT: just gone.
    return `the kernel refuses to enable it in ${cgroup.path} (${error.errno})`;
  }
}

function describe(pids: number[]): string {
  const shown = pids.slice(0, 5).map((pid) => {
    try {
      return `${pid} (${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()})`;
    } catch {
      return `${pid} (just ended)`;
    }
  });
  return `${pids.length} processes of its own: ${shown.join(', ')}${pids.length > shown.length ? ', ...' : ''}`;
}

/**
 * Why a controller is not in `cgroup.controllers`, as far as /proc/cgroups tells (on a v1 mount, switched off, not built in, or
 * withheld from above), and what to do about it.
 */
export function whyNotOffered(
  controller: string,
  cgroup: Cgroup,
  procCgroups = readProcCgroups(),
): { why: string; remedy: string } {
  const v1Name = controller === 'io' ? 'blkio' : controller;
  const row = procCgroups
    ?.split('\n')
    .map((line) => line.split('\t'))
    .find(([name]) => name === v1Name);
  if (row?.[3] === '0') return { why: 'switched off at boot', remedy: `boot without cgroup_disable=${v1Name}` };
  if (row && row[1] !== '0')
    return {
      why: 'bound to a cgroup v1 hierarchy',
      remedy: 'boot with systemd.unified_cgroup_hierarchy=1, or cgroup_no_v1=all',
    };
  // From 6.12 on /proc/cgroups lists only controllers that v1 still has, so a missing row proves nothing.
  return {
    why: `not offered in ${cgroup.path}`,
    remedy: 'have it delegated from above, or take a kernel that has it built in',
  };
}

function readProcCgroups(): string | undefined {
  try {
    return readFileSync('/proc/cgroups', 'utf8');
  } catch {
    return undefined;
  }
}
