/** What cgroup v2 can do here, found out by doing it in a cgroup made for the purpose and removed again. */
import { closeSync } from 'node:fs';
import { AcgError, type Capability, no, unknown, yes } from '../../model/index.ts';
import { type ExitStatus, pidfdSendSignal, spawn, watchExit } from '../native/index.ts';
import type { Cgroup } from './cgroup.ts';
import { enableControllers, whyNotOffered } from './controllers.ts';
import { CgroupFileError } from './file.ts';
import { armTrigger } from './pressure.ts';
import { locateRoot, type RootOptions } from './root.ts';

/** `cpuset` is looked for because schedulers want it; agentcgroup itself sets no cpusets. */
const controllers = ['memory', 'pids', 'cpu', 'io', 'cpuset'] as const;

/** Every row of `probeCgroups`, in order. */
export const cgroupCapabilities = [
  'cgroup2',
  'delegation',
  ...controllers.map((c) => `${c} controller`),
  'born inside',
  'cgroup.kill',
  'cgroup.freeze',
  'xattr',
  'memory.peak',
  'memory.reclaim',
  'memory.oom.group',
  'swap accounting',
  'PSI',
  'PSI trigger',
] as const;

/** The table's own words and remedy are left out where the row has better ones. */
const reason = (error: unknown) =>
  error instanceof AcgError ? error.detail : error instanceof Error ? error.message : String(error);

/**
 * All rows for the place where `openRoot` with the same options would put the root. Controllers that are only not switched
 * on there yet are switched on while it looks and off again after, as `openRoot` would: not under systemd, whose they are.
 */
export async function probeCgroups(options: RootOptions = {}): Promise<Capability[]> {
  let located: ReturnType<typeof locateRoot>;
  try {
    located = locateRoot(options);
  } catch (error) {
    const remedy = 'mount -t cgroup2 cgroup2 /sys/fs/cgroup, or boot with systemd.unified_cgroup_hierarchy=1';
    return [
      no('cgroup2', reason(error), remedy),
      ...cgroupCapabilities.slice(1).map((name) => unknown(name, 'no cgroup2 mount to try it on')),
    ];
  }
  const { mount, origin, cgroup } = located;
  let parent = cgroup;
  while (!parent.exists() && parent.path !== mount.path) parent = parent.parent;
  const first = yes('cgroup2', `${mount.path}, root ${cgroup.path}${cgroup.exists() ? '' : ' (to be made)'}`);

  const lent: string[] = [];
  if (origin === 'cgroup2 mount' || origin === 'given') {
    const on = parent.read('cgroup.subtree_control') ?? [];
    const offered = (parent.read('cgroup.controllers') ?? []).filter((c) => controllers.some((mine) => mine === c));
    try {
      lent.push(...enableControllers(parent, parent, offered).enabled.filter((c) => !on.includes(c)));
    } catch {
      // Busy or refused: the rows of the controllers find out and say so.
    }
  }
  try {
    return [first, ...(await probeBelow(parent))];
  } finally {
    for (const controller of lent) parent.write('cgroup.subtree_control', [`-${controller}`]);
  }
}

/** The rows after `cgroup2`, tried in a child of `parent`. */
export async function probeBelow(parent: Cgroup): Promise<Capability[]> {
  let probe: Cgroup;
  try {
    probe = parent.create(`agentcgroup-probe-${process.pid}`);
  } catch (error) {
    const remedy =
      'run as root, or hand the cgroup over (Delegate=yes in a systemd unit) and name it with --cgroup-root';
    return [
      no('delegation', reason(error), remedy),
      ...cgroupCapabilities.slice(2).map((name) => unknown(name, 'no cgroup could be made to try it in')),
    ];
  }
  try {
    return [yes('delegation', `${parent.path} takes cgroups of ours`), ...(await rows(parent, probe))];
  } finally {
    await probe.end(AbortSignal.timeout(10_000));
  }
}

async function rows(parent: Cgroup, probe: Cgroup): Promise<Capability[]> {
  const has = probe.read('cgroup.controllers') ?? [];
  const memory = has.includes('memory');
  const needsMemory = (name: string, check: () => Capability | Promise<Capability>) =>
    attempt(name, () => (memory ? check() : no(name, 'it belongs to the memory controller, which is missing')));
  return [
    ...controllers.map((c) => controllerRow(c, has, parent)),
    await attempt('born inside', () => bornInside(probe)),
    await attempt('cgroup.kill', () =>
      probe.write('cgroup.kill', true).enforced
        ? yes('cgroup.kill')
        : no(
            'cgroup.kill',
            'this kernel is older than 5.14',
            'a newer kernel; until then processes are frozen and killed one by one',
          ),
    ),
    await attempt('cgroup.freeze', async () => {
      await probe.freeze(AbortSignal.timeout(5_000));
      await probe.thaw(AbortSignal.timeout(5_000));
      return yes('cgroup.freeze');
    }),
    await attempt('xattr', () => {
      probe.setNote('probe', 'kept');
      return probe.note('probe') === 'kept'
        ? yes('xattr')
        : no('xattr', 'a user xattr does not come back', 'a kernel from 5.7 on');
    }),
    await needsMemory('memory.peak', () =>
      probe.read('memory.peak') === undefined
        ? no('memory.peak', 'this kernel is older than 5.19', 'a newer kernel; peaks are sampled until then')
        : yes('memory.peak'),
    ),
    await needsMemory('memory.reclaim', async () =>
      (await probe.reclaim(0)) === 'unsupported'
        ? no(
            'memory.reclaim',
            'this kernel is older than 5.19',
            'a newer kernel; nothing is reclaimed ahead of need until then',
          )
        : yes('memory.reclaim'),
    ),
    await needsMemory('memory.oom.group', () => {
      const written = probe.write('memory.oom.group', true);
      return written.enforced ? yes('memory.oom.group') : no('memory.oom.group', written.why, 'a kernel from 4.19 on');
    }),
    await needsMemory('swap accounting', () =>
      probe.read('memory.swap.max') === undefined
        ? no(
            'swap accounting',
            'the kernel has no swap (CONFIG_SWAP) or does not count it',
            'boot without swapaccount=0',
          )
        : yes('swap accounting'),
    ),
    await attempt('PSI', () =>
      probe.read('memory.pressure') === undefined
        ? no('PSI', 'no pressure files', 'boot with psi=1 (needs CONFIG_PSI)')
        : yes('PSI'),
    ),
    await attempt('PSI trigger', () => triggerRow(probe)),
  ];
}

function controllerRow(controller: string, has: string[], parent: Cgroup): Capability {
  const name = `${controller} controller`;
  if (has.includes(controller)) return yes(name);
  if (!parent.read('cgroup.controllers')?.includes(controller)) {
    const { why, remedy } = whyNotOffered(controller, parent);
    return no(name, why, remedy);
  }
  const holders = parent.procs().length;
  return holders > 0
    ? no(name, `${parent.path} holds ${holders} processes, so it cannot enable it`, 'move them into a child cgroup')
    : no(
        name,
        `not enabled in ${parent.path}/cgroup.subtree_control`,
        `echo +${controller} into that file (under systemd: Delegate=yes)`,
      );
}

/** A short window, then the one that processes without CAP_SYS_RESOURCE may have. */
function triggerRow(probe: Cgroup): Capability {
  const file = `${probe.path}/memory.pressure`;
  const arm = (windowUsec: number) => {
    const fd = armTrigger(file, { kind: 'some', stallUsec: windowUsec / 10, windowUsec });
    if (fd !== undefined) closeSync(fd);
    return fd !== undefined;
  };
  try {
    return arm(100_000)
      ? yes('PSI trigger', 'windows from 100 ms')
      : no('PSI trigger', 'no pressure files', 'boot with psi=1');
  } catch (error) {
    if (!(error instanceof CgroupFileError) || error.errno !== 'EINVAL') throw error;
  }
  try {
    arm(500_000);
    return yes('PSI trigger', 'windows from 500 ms');
  } catch (error) {
    if (!(error instanceof CgroupFileError) || error.errno !== 'EINVAL') throw error;
  }
  arm(2_000_000);
  return yes('PSI trigger', 'windows of 2 s only: CAP_SYS_RESOURCE is missing');
}

/**
 * clone3(CLONE_INTO_CGROUP) with a pidfd: a real process, which the kernel puts there at its birth. Some kernels (seen on
 * 6.18, gone in 7.3) kill the child when parent and target have been through cgroup.kill a different number of times: a
 * process whose own cgroup was killed once can bear no child in a new one.
 */
async function bornInside(probe: Cgroup): Promise<Capability> {
  const { pid, pidfd } = probe.withFd((cgroupFd) =>
    spawn({ file: '/bin/sleep', argv: ['sleep', '60'], env: {}, cgroupFd, fds: [-1, -1, -1] }),
  );
  const ended = new Promise<ExitStatus | null>((resolve) => watchExit({ pidfd }, resolve));
  const inside = probe.procs().includes(pid);
  pidfdSendSignal(pidfd, 'SIGTERM');
  closeSync(pidfd);
  if ((await ended)?.signal === 'SIGKILL')
    return no(
      'born inside',
      'the kernel kills the child, as it does when the cgroup of the parent went through cgroup.kill',
      'start agentcgroup from a fresh cgroup',
    );
  return inside
    ? yes('born inside')
    : no('born inside', 'the kernel ignored CLONE_INTO_CGROUP', 'a kernel from 5.7 on');
}

/** What a check throws becomes its row: a refusal of the kernel is a no, anything else could not be tried. */
async function attempt(name: string, check: () => Capability | Promise<Capability>): Promise<Capability> {
  try {
    return await check();
  } catch (error) {
    const refused = error instanceof AcgError && (error.code === 'ACG_CGROUP_FILE' || error.code === 'ACG_SYSCALL');
    return refused ? no(name, error.detail) : unknown(name, reason(error));
  }
}
