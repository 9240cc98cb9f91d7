import { calling } from './addon.ts';

/** f_type of a cgroup v2 mount (statfs(2)). */
export const CGROUP2_SUPER_MAGIC = 0x63677270;

/** The magic number of the file system that a path is on. */
export function statfsType(path: string): number {
  return calling(path, (addon) => addon.statfsType(path));
}
