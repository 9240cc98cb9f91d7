/**
 * What must survive the daemon: kept as user xattrs on the cgroups themselves, so that it lives exactly as long as what it
 * describes. The next daemon reads these, and ended calls from the traces.
 */
import { z } from 'zod';
import { CallRecord, Name, Priority } from '../../model/index.ts';

export const SESSION_XATTR = 'user.agentcgroup.session';
export const CALL_XATTR = 'user.agentcgroup.call';

/** A process, told from a later one of the same pid by its start time (clock ticks since boot, /proc/PID/stat field 22). */
export const ProcessId = z.object({ pid: z.number().int().positive(), startTicks: z.number().int().nonnegative() });
export type ProcessId = z.infer<typeof ProcessId>;

export const SessionLimits = z.object({
  /** Bytes for the agent and all its calls together. */
  memoryBytes: z.number().int().positive().optional(),
  /** cpu.weight, 1 to 10000. */
  cpuWeight: z.number().int().min(1).max(10_000).optional(),
  /** Processes and threads of the whole session. */
  pids: z.number().int().positive().optional(),
});
export type SessionLimits = z.infer<typeof SessionLimits>;

export const KeptSession = z.object({
  version: z.literal(1),
  session: Name,
  tenant: Name,
  /** What was asked for; absent: the tenant's. */
  priority: Priority.optional(),
  start: z.number(),
  argv: z.array(z.string()),
  limits: SessionLimits,
  /** What the agent's processes had before they were protected; tool calls get it back. */
  oomScoreAdj: z.number().int(),
  /** The agent's user. */
  uid: z.number().int(),
  /** When this process is gone, so is the session. Absent: the session ends only when it is told to. */
  owner: ProcessId.optional(),
});
export type KeptSession = z.infer<typeof KeptSession>;

export const KeptCall = z.object({
  version: z.literal(1),
  call: z.string(),
  number: z.number().int().nonnegative(),
  start: z.number(),
  tool: z.string(),
  command: z.string().optional(),
  cwd: z.string().optional(),
  agentCallId: z.string().optional(),
  agentSessionId: z.string().optional(),
  via: z.enum(['shim', 'adopted', 'sdk', 'mcp', 'hook']),
  hint: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
  hintErrors: z.array(z.string()).optional(),
  /** How the agent wants to be told. */
  feedbackAs: z.literal('json').optional(),
  heldMs: z.number().optional(),
  shim: ProcessId.optional(),
  /** Set when the shell has ended and what it started lives on. */
  background: z.boolean(),
  /** How the command ended, and when (epoch ms): noted before whoever reported it is answered, and so never told in vain. */
  exitCode: z.number().int().nullable().optional(),
  signal: z.string().nullable().optional(),
  end: z.number().optional(),
  /** Who kills it, and why the policy does: noted before the kill, so that the record says so whichever daemon writes it. */
  killedBy: CallRecord.shape.killedBy,
  killReason: z.enum(['ceiling', 'pids', 'time']).optional(),
});
export type KeptCall = z.infer<typeof KeptCall>;
