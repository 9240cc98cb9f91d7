/** Finding or making the root of our tree, with delegation in mind (systemd's CGROUP_DELEGATION.md: a single writer per cgroup). */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AcgError } from '../../model/index.ts';
import { Cgroup } from './cgroup.ts';
import { type Enabled, enableControllers, wantedControllers } from './controllers.ts';
import { CgroupFileError } from './file.ts';
import { type Cgroup2Mount, directoryOf, mountOf, parseMountinfo, parseSelfCgroup } from './mounts.ts';
import { delegateBySystemd, isDelegated, SCOPE, systemdRuns } from './systemd.ts';

export interface RootOptions {
  /** --cgroup-root: a directory on a cgroup2 mount; made when missing. */
  cgroupRoot?: string;
  /** The name of the cgroup made at the top of a mount, and of the slice under systemd. Default `agentcgroup.slice`. */
  name?: string;
  /** Controllers to enable on the way and in the root. Default memory, pids, cpu, io. */
  controllers?: readonly string[];
  /**
   * When the top of the mount holds processes and is not the machine's real root (a container's own cgroup namespace):
   * move them into a leaf `init` there, as Docker-in-Docker images do. Default false: ACG_CGROUP_BUSY says so.
   */
  vacate?: boolean;
  /** /proc/self/mountinfo, for tests with a fixture tree. */
  mountinfo?: string;
}

export interface Root extends Enabled {
  cgroup: Cgroup;
  mount: Cgroup2Mount;
  /** How it was found. */
  origin: 'given' | 'delegated service' | 'systemd scope' | 'cgroup2 mount';
}

/** Where our root is or would be, without making or moving anything. Throws ACG_NO_CGROUP2. */
export function locateRoot(options: RootOptions = {}): Pick<Root, 'cgroup' | 'mount' | 'origin'> {
  const mounts = parseMountinfo(options.mountinfo ?? readFileSync('/proc/self/mountinfo', 'utf8'));
  const name = options.name ?? 'agentcgroup.slice';
  if (options.cgroupRoot !== undefined) {
    const path = resolve(options.cgroupRoot);
    const mount = mountOf(path, mounts);
    if (!mount) throw new AcgError('ACG_NO_CGROUP2', `${path} is not on a cgroup2 mount`);
    return { cgroup: new Cgroup(path), mount, origin: 'given' };
  }
  const mount = mounts.find((m) => !m.readOnly);
  if (!mount)
    throw new AcgError('ACG_NO_CGROUP2', mounts.length ? 'every cgroup2 mount is read-only' : 'none is mounted');
  if (options.mountinfo === undefined && systemdRuns()) {
    const own = ownCgroup(mount);
    if (own && isDelegated(own)) return { cgroup: own, mount, origin: 'delegated service' };
    if (own?.name === 'daemon' && isDelegated(own.parent))
      return { cgroup: own.parent, mount, origin: 'delegated service' };
    return { cgroup: new Cgroup(join(mount.path, name, SCOPE)), mount, origin: 'systemd scope' };
  }
  return { cgroup: new Cgroup(join(mount.path, name)), mount, origin: 'cgroup2 mount' };
}

/**
 * Opens the root of our tree: the given one; else, under systemd, the delegated cgroup this process was started in or a
 * delegated scope asked of systemd; else a cgroup of our own at the top of the first writable cgroup2 mount. Controllers are
 * enabled down to it, and for its children; those that are missing are named in the result. Under systemd this process moves
 * into a leaf `daemon` of the delegated cgroup. Throws ACG_NO_CGROUP2, ACG_NOT_ROOT, ACG_CGROUP_BUSY, ACG_CGROUP_FILE.
 */
export async function openRoot(options: RootOptions = {}): Promise<Root> {
  const { cgroup, mount, origin } = locateRoot(options);
  const bySystemd = origin === 'systemd scope' || origin === 'delegated service';
  if (origin === 'systemd scope' && !cgroup.exists())
    await delegateBySystemd(options.name ?? 'agentcgroup.slice', selfPath);
  try {
    mkdirSync(cgroup.path, { recursive: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM')
      throw new AcgError(
        'ACG_NOT_ROOT',
        `mkdir ${cgroup.path}: ${code}; or name a cgroup of yours with --cgroup-root`,
        {
          cause: error,
        },
      );
    throw new CgroupFileError('mkdir', cgroup.path, error);
  }
  if (bySystemd) moveInto(cgroup, 'daemon', [process.pid]);
  const top = new Cgroup(mount.path);
  if (options.vacate && !bySystemd && isNamespaceRoot(top)) moveInto(top, 'init', top.procs());
  // What systemd manages above its scope is systemd's; it has given the delegated cgroup what it may have.
  const from = bySystemd ? cgroup : top;
  return { cgroup, mount, origin, ...enableControllers(from, cgroup, options.controllers ?? wantedControllers) };
}

/** The top of a container's own hierarchy: unlike the machine's real root it has a cgroup.type, and may not hold processes beside controllers. */
const isNamespaceRoot = (top: Cgroup) => existsSync(join(top.path, 'cgroup.type'));

const selfPath = () => parseSelfCgroup(readFileSync('/proc/self/cgroup', 'utf8'));

function ownCgroup(mount: Cgroup2Mount): Cgroup | undefined {
  const self = selfPath();
  const path = self === undefined ? undefined : directoryOf(self, mount);
  return path === undefined ? undefined : new Cgroup(path);
}

function moveInto(parent: Cgroup, leafName: string, pids: number[]): void {
  if (pids.length === 0) return;
  const leaf = parent.child(leafName);
  if (!leaf.exists()) parent.create(leafName);
  for (const pid of pids) {
    try {
      leaf.write('cgroup.procs', pid);
    } catch (error) {
      if (!(error instanceof CgroupFileError && error.errno === 'ESRCH')) throw error;
    }
  }
}
