/** The typed door to native/: what Node cannot do by itself. Loaded lazily; ACG_NATIVE_MISSING when it is not built. */
export { addon as loadAddon, nativeProgram, prebuiltDirectory, SyscallError } from './addon.ts';
export { lockFile, readSmall, writeSmall } from './file.ts';
export { pidfdOpen, pidfdSendSignal } from './pidfd.ts';
export { pipe } from './pipe.ts';
export { enlist } from './sched.ts';
export { signalName, signalNumber } from './signals.ts';
export { peer, peerPidfd, sendWithFd, socketFd } from './socket.ts';
export { type Spawned, type SpawnRequest, spawn } from './spawn.ts';
export { CGROUP2_SUPER_MAGIC, statfsType } from './statfs.ts';
export { type ExitStatus, type Watch, watchExit, watchPri } from './watch.ts';
export { getXattr, listXattr, type Place, removeXattr, setXattr } from './xattr.ts';
