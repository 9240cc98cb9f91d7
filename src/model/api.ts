/** What goes over the daemon's HTTP API: requests are checked against these, answers are shaped by them, and the OpenAPI document is made of them. */
import { z } from 'zod';
import { AgentId, Name, Priority, Tier } from './names.ts';
import { CallRecord } from './trace.ts';

export const SessionRequest = z.object({
  /** The session's id; generated when absent. */
  name: Name.optional(),
  tenant: Name.default('default'),
  /** The tenant's when absent, and never higher than that. */
  priority: Priority.optional(),
  /** The agent's command line, for the record only. */
  argv: z.array(z.string().max(65_536)).max(4096).default([]),
  memoryBytes: z.number().int().positive().optional(),
  cpuWeight: z.number().int().min(1).max(10_000).optional(),
  pids: z.number().int().min(16).optional(),
  /** End the session when the process that asks is gone. */
  owned: z.boolean().default(false),
  /** The user whose processes may open calls in it; defaults to the one who asks. Only root may name another. */
  uid: z.number().int().nonnegative().optional(),
  /** The oom_score_adj that tool calls run with: what the agent had before it was protected. */
  oomScoreAdj: z.number().int().min(-1000).max(1000).default(0),
});
export type SessionRequest = z.input<typeof SessionRequest>;

export const SessionStatus = z.object({
  session: Name,
  tenant: Name,
  /** In force: never higher than the tenant's. */
  priority: Priority,
  state: z.enum(['running', 'ending', 'ended']),
  start: z.number(),
  end: z.number().optional(),
  argv: z.array(z.string()),
  memoryLimitBytes: z.number().optional(),
  memoryBytes: z.number().optional(),
  agentMemoryBytes: z.number().optional(),
  agentOomKilled: z.boolean().optional(),
  callsRunning: z.number().int(),
  callsBackground: z.number().int(),
  callsDone: z.number().int(),
  callsKilled: z.number().int(),
  /** Directory of the agent leaf, where the agent must be started. Absent once ended. */
  agentCgroup: z.string().optional(),
  trace: z.string().optional(),
  /** What was asked for and is not in force, with the reason. */
  notEnforced: z.array(z.string()),
});
export type SessionStatus = z.infer<typeof SessionStatus>;

/** A tool call opened by data, for programs that start their commands themselves: the SDK and the MCP wrapper. */
export const CallRequest = z.object({
  tool: z.string().min(1).max(128).default('Bash'),
  /** For the record, and for the policy to tell a test run from a `git status`. */
  command: z.string().max(65_536).optional(),
  cwd: z.string().max(4096).optional(),
  /** What the command needs, in the grammar of AGENT_RESOURCE_HINT. */
  hint: z.string().max(4096).optional(),
  /** The agent's own id of this call. */
  agentCallId: AgentId.optional(),
  agentSessionId: AgentId.optional(),
  via: z.enum(['sdk', 'mcp']).default('sdk'),
  /**
   * A call with a cgroup of its own, which ends with the process that has opened it at the latest. false: a record only, of work
   * that happens inside another call (a request to an MCP server).
   */
  contained: z.boolean().default(true),
});
export type CallRequest = z.input<typeof CallRequest>;

/** How a call opened by data ended. */
export const CallEnd = z.object({
  exitCode: z.number().int().min(0).max(255).nullable().default(null),
  signal: z
    .string()
    .regex(/^SIG[A-Z0-9]{1,12}$/)
    .nullable()
    .default(null),
  isError: z.boolean().optional(),
});
export type CallEnd = z.input<typeof CallEnd>;

/** A hook tells what the agent is about to run, so that the call can carry the agent's own id. */
export const CallAnnouncement = z.object({ agentCallId: AgentId, command: z.string().max(1_048_576) });
export type CallAnnouncement = z.infer<typeof CallAnnouncement>;

/** A call as the API shows it: its record so far, and whether it still runs. */
export const CallStatus = CallRecord.extend({
  state: z.enum(['held', 'running', 'background', 'ended']),
  memoryBytes: z.number().optional(),
  /** Directory of its cgroup, where its processes are to be started. Absent once ended. */
  cgroup: z.string().optional(),
});
export type CallStatus = z.infer<typeof CallStatus>;

/** A BPF program as the daemon has it. */
export const ProgramHealth = z.object({
  program: z.enum(['monitor', 'scheduler', 'governor', 'memory']),
  on: z.boolean(),
  /** Found pinned: an earlier daemon loaded it. */
  reopened: z.boolean().optional(),
  /** Why it is not on, in words. */
  why: z.string().optional(),
  /** Hooks that this kernel refused, each with its reason. */
  hooksOff: z.array(z.string()),
});
export type ProgramHealth = z.infer<typeof ProgramHealth>;

/** What runs in the kernel for the daemon. */
export const KernelHealth = z.object({
  programs: z.array(ProgramHealth),
  scheduler: z.object({
    mode: z.enum(['full', 'partial', 'off']),
    inCharge: z.boolean(),
    /** How often it was thrown out or taken out since the daemon started; and why the last time. */
    exits: z.number().int(),
    exit: z.object({ t: z.number(), error: z.boolean(), reason: z.string(), message: z.string() }).optional(),
    /** When it is put in charge again, epoch milliseconds. */
    rearmAt: z.number().optional(),
  }),
  /** Events that found the ring full, by type. */
  lost: z.record(z.string(), z.number()),
  /** The node's headroom as the kernel's guard sees it; absent while no guard is set. */
  guard: z
    .object({ headroomBytes: z.number(), lowBytes: z.number(), trips: z.number().int(), tripped: z.boolean() })
    .optional(),
});
export type KernelHealth = z.infer<typeof KernelHealth>;

export const Health = z.object({
  status: z.enum(['ok', 'degraded']),
  version: z.string(),
  pid: z.number().int(),
  /** In force now. */
  tier: Tier,
  kernel: KernelHealth,
  start: z.number(),
  cgroupRoot: z.string(),
  shimSocket: z.string(),
  traceDir: z.string(),
  /** For all sessions together, as last looked at while one ran: the limits above them, less what others use of those. */
  memoryBytes: z.number(),
  sessions: z.number().int(),
  calls: z.number().int(),
  /** What does not work here, in words. */
  notes: z.array(z.string()),
});
export type Health = z.infer<typeof Health>;

/** In one line: the tier in force, what runs in the kernel for it, what is wrong. */
export function tierWords({ tier, kernel, notes }: Pick<Health, 'tier' | 'kernel' | 'notes'>): string {
  const on = kernel.programs.filter((p) => p.on).map((p) => p.program);
  const lost = Object.values(kernel.lost).reduce((a, b) => a + b, 0);
  return [
    `tier ${tier}`,
    on.length > 0 ? `${on.join(', ')} in the kernel` : 'no BPF programs',
    ...(lost > 0 ? [`${lost} events lost`] : []),
    ...notes,
  ].join('; ');
}
