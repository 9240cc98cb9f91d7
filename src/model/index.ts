/** The vocabulary as types and schemas. No I/O; imports no other room. */
export * from './api.ts';
export * from './capability.ts';
export * from './config.ts';
export * from './duration.ts';
export * from './errors.ts';
export * from './names.ts';
export * from './redact.ts';
export * from './size.ts';
export * from './trace.ts';
