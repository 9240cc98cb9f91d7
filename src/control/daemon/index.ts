/** The control loop and the API: puts the other rooms of control together. */
export { DaemonClient } from './client.ts';
export { CONFIG_FILE, type LoadedConfig, loadConfig, mergeConfig } from './config-file.ts';
export { type Daemon, type DaemonOptions, startDaemon } from './daemon.ts';
export { type DaemonPaths, daemonPaths } from './paths.ts';
