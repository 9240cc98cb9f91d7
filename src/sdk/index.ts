/** The SDK: tool calls of a program that starts them itself, each in a cgroup of its own. */
export { findProgram } from './program.ts';
export { type AttachOptions, attach, Session } from './session.ts';
export type { SpawnOptions, Subprocess } from './subprocess.ts';
export { ToolCall, type ToolCallOptions, type ToolResult } from './tool-call.ts';
