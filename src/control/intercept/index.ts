/** Ways in. So far the shim: its protocol with the daemon. */
export { FrameReader, type From } from './decode.ts';
export { encode } from './encode.ts';
export * from './protocol.ts';
