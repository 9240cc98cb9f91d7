/** cgroup v2 as typed files: the only room that touches the cgroup file system. */
export { Cgroup, type Written } from './cgroup.ts';
export { type Enabled, enableControllers, wantedControllers } from './controllers.ts';
export { CgroupFileError } from './file.ts';
export type { FileInput, FileValue, ReadableFile, WritableFile } from './files.ts';
export { type Cgroup2Mount, directoryOf, mountOf, parseMountinfo, parseSelfCgroup } from './mounts.ts';
export * from './parse.ts';
export { armTrigger, type StallTrigger } from './pressure.ts';
export { cgroupCapabilities, probeBelow, probeCgroups } from './probe.ts';
export type { Reclaimed } from './reclaim.ts';
export { locateRoot, openRoot, type Root, type RootOptions } from './root.ts';
export * from './tree.ts';
