/** The control loop and the API: puts the other rooms of control together. */
export { DaemonClient, type DaemonPaths, daemonPaths } from '../client/index.ts';
export { CONFIG_FILE, type LoadedConfig, loadConfig, mergeConfig } from './config-file.ts';
export { type Daemon, type DaemonOptions, startDaemon } from './daemon.ts';
