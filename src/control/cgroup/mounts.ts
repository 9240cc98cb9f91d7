/** Where cgroup v2 is mounted and where this process stands in it: pure readings of /proc/self/mountinfo and /proc/PID/cgroup. */

export interface Cgroup2Mount {
  /** Where it is mounted. */
  path: string;
  /** The cgroup that is mounted there, seen from the root of our cgroup namespace: `/` unless only a part is mounted. */
  root: string;
  readOnly: boolean;
  /** Mount options of the file system: `nsdelegate`, `memory_recursiveprot`, `favordynmods`, ... */
  options: string[];
}

/** Spaces, tabs, newlines and backslashes stand as octal escapes in mountinfo (proc(5)). */
const unescaped = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));

/** The cgroup2 mounts in the text of /proc/self/mountinfo. Total: lines of another form are skipped. */
export function parseMountinfo(text: string): Cgroup2Mount[] {
  const mounts: Cgroup2Mount[] = [];
  for (const line of text.split('\n')) {
    const [mount, filesystem] = line.split(' - ');
    const [type, , superOptions = ''] = filesystem?.split(' ') ?? [];
    const [, , , root, path, options = ''] = mount!.split(' ');
    if (type !== 'cgroup2' || root === undefined || path === undefined) continue;
    const all = [...options.split(','), ...superOptions.split(',')];
    mounts.push({ path: unescaped(path), root: unescaped(root), readOnly: all.includes('ro'), options: all });
  }
  return mounts;
}

/** The v2 path in the text of /proc/PID/cgroup (its `0::` line), or undefined when there is none. */
export function parseSelfCgroup(text: string): string | undefined {
  return /^0::(\/.*)$/m.exec(text)?.[1]?.replace(/ \(deleted\)$/, '');
}

/** The mount a path is in (the longest that holds it), or undefined. */
export function mountOf(path: string, mounts: Cgroup2Mount[]): Cgroup2Mount | undefined {
  return mounts
    .filter((m) => path === m.path || path.startsWith(m.path.endsWith('/') ? m.path : `${m.path}/`))
    .sort((a, b) => b.path.length - a.path.length)[0];
}

/**
 * The directory of a v2 path (as in `0::`) under a mount, or undefined when the mount does not show that part of the tree:
 * another part is mounted, or the path begins with `/..`, as of a process outside our cgroup namespace.
 */
export function directoryOf(selfPath: string, mount: Cgroup2Mount): string | undefined {
  if (selfPath.split('/').includes('..')) return undefined;
  if (mount.root === '/') return selfPath === '/' ? mount.path : mount.path.replace(/\/$/, '') + selfPath;
  if (selfPath === mount.root) return mount.path;
  return selfPath.startsWith(`${mount.root}/`) ? mount.path + selfPath.slice(mount.root.length) : undefined;
}
