/** Where a cgroup's files are, controller by controller: on cgroup v2, on v1, or on a host that mixes both. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { directoryOf, parseMountinfo } from '../cgroup/index.ts';

/** The v1 controllers we read. */
const V1 = ['memory', 'cpuacct', 'blkio', 'pids'] as const;
type V1Controller = (typeof V1)[number];

interface Mount {
  path: string;
  root: string;
}

export interface Hierarchies {
  v2: Mount | undefined;
  v1: Map<V1Controller, Mount>;
}

/** Directories of one cgroup. A controller whose cgroup is the hierarchy's root is left out: that is the whole machine. */
export interface Directories {
  v2?: string;
  v1: Partial<Record<V1Controller, string>>;
}

/** From the text of /proc/self/mountinfo. */
export function parseHierarchies(mountinfo: string): Hierarchies {
  const v1: Hierarchies['v1'] = new Map();
  for (const line of mountinfo.split('\n')) {
    const [mount, filesystem] = line.split(' - ');
    const [type, , options = ''] = filesystem?.split(' ') ?? [];
    const [, , , root, path] = mount!.split(' ');
    if (type !== 'cgroup' || root === undefined || path === undefined) continue;
    for (const name of V1) if (options.split(',').includes(name) && !v1.has(name)) v1.set(name, { path, root });
  }
  return { v2: parseMountinfo(mountinfo)[0], v1 };
}

export function hierarchies(): Hierarchies {
  return parseHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'));
}

/** From the text of /proc/PID/cgroup: lines `ID:CONTROLLERS:PATH`; the v2 line has no controllers. */
export function directoriesOf(procCgroup: string, h: Hierarchies): Directories {
  const found: Directories = { v1: {} };
  for (const line of procCgroup.split('\n')) {
    const m = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (!m) continue;
    const path = m[2]!.replace(/ \(deleted\)$/, '');
    if (path === '/') continue;
    if (m[1] === '' && h.v2) {
      const directory = directoryOf(path, { ...h.v2, readOnly: true, options: [] });
      if (directory) found.v2 = directory;
    }
    for (const name of V1) {
      const mount = h.v1.get(name);
      if (!mount || !m[1]!.split(',').includes(name)) continue;
      const directory = directoryOf(path, { ...mount, readOnly: true, options: [] });
      if (directory && directory !== mount.path) found.v1[name] = directory;
    }
  }
  return found;
}

/** A cgroup given by one of its directories: the same path below the other hierarchies is taken for the same cgroup. */
export function directoriesAt(directory: string, h: Hierarchies): Directories | undefined {
  const path = resolve(directory);
  const mounts = [...(h.v2 ? [h.v2] : []), ...h.v1.values()];
  const own = mounts
    .filter((m) => path === m.path || path.startsWith(`${m.path}/`))
    .sort((a, b) => b.path.length - a.path.length)[0];
  if (!own) return undefined;
  const relative = path.slice(own.path.length);
  const found: Directories = { v1: {} };
  const there = (mount: Mount) => (mount === own || relative !== '') && existsSync(join(mount.path, relative));
  if (h.v2 && there(h.v2)) found.v2 = join(h.v2.path, relative);
  for (const [name, mount] of h.v1) if (there(mount)) found.v1[name] = join(mount.path, relative);
  return found;
}

/** The directories of a cgroup below, given relative to them; what does not exist in a hierarchy is left out. */
export function below(directories: Directories, relative: string): Directories {
  const found: Directories = { v1: {} };
  if (directories.v2 && existsSync(join(directories.v2, relative))) found.v2 = join(directories.v2, relative);
  for (const [name, directory] of Object.entries(directories.v1) as [V1Controller, string][])
    if (existsSync(join(directory, relative))) found.v1[name] = join(directory, relative);
  return found;
}

/** Is it the top of a hierarchy, all of the machine? The top that a container sees of its own namespace is not. */
export function isMachine(directory: string, h: Hierarchies): boolean {
  const mounts = [...(h.v2 ? [h.v2] : []), ...h.v1.values()];
  const top = mounts.some((m) => m.path === resolve(directory) && m.root === '/');
  return top && !existsSync(join(directory, 'memory.current'));
}

/** The directory whose children and processes are the cgroup's: v2 where it accounts memory or is all there is, else v1. */
export function mainDirectory(d: Directories): string | undefined {
  if (d.v2 && existsSync(join(d.v2, 'memory.current'))) return d.v2;
  return d.v1.memory ?? d.v2 ?? d.v1.pids ?? d.v1.cpuacct ?? d.v1.blkio;
}
