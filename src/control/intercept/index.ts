/** Ways in. So far the shim: its protocol with the daemon, and the directory it is configured by. */
export { FrameReader, type From } from './decode.ts';
export { defaultShimConfig, findShell, prepareShimDirectory, type ShimConfig, shimConfigLines } from './directory.ts';
export { encode } from './encode.ts';
export * from './protocol.ts';
