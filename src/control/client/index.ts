/** The daemon as others see it: where it is, and how to ask it. Light: nothing of the daemon itself is loaded. */
export { DaemonClient } from './client.ts';
export { type DaemonPaths, daemonPaths } from './paths.ts';
