/**
 * The recorded form of a session: one JSON object per line (NDJSON), each line a record below. A file may hold several
 * sessions. Times are `t`, `start`, `end`: milliseconds since the Unix epoch (wall clock, fractions allowed); durations
 * are measured on the monotonic clock and carry their unit in the name. Sizes are bytes. CPU time is microseconds.
 * A field that was not measured is absent, never zero.
 */
import { z } from 'zod';
import { Name, Priority, Tier } from './names.ts';

export const TRACE_VERSION = 1;

const bytes = z.number().nonnegative();
const count = z.number().int().nonnegative();
const time = z.number().nonnegative();
const usec = z.number().nonnegative();
const id = z.string().min(1).max(128);

/** The first record of a session; written again with `end` when it is over (the later one wins). */
export const SessionRecord = z.object({
  type: z.literal('session'),
  version: z.literal(TRACE_VERSION),
  session: id,
  tenant: Name,
  priority: Priority.optional(),
  /** Where the trace comes from: our daemon, our recorder, or an importer. */
  source: z.enum(['daemon', 'record', 'dataset', 'claude-code', 'codex', 'synthetic']),
  agent: z.string().optional(),
  model: z.string().optional(),
  /** A name for grouping: the task of a data set, the --name of a run. */
  task: z.string().optional(),
  argv: z.array(z.string()).optional(),
  start: time,
  end: time.optional(),
  exitCode: z.number().int().nullable().optional(),
  signal: z.string().nullable().optional(),
  /** Was the agent itself killed by the OOM killer (memory.events of the agent leaf)? */
  agentOomKilled: z.boolean().optional(),
  node: z
    .object({
      kernel: z.string(),
      cpus: count,
      memoryBytes: bytes,
      tier: Tier.optional(),
      cgroupVersion: z.number().optional(),
    })
    .optional(),
  memoryLimitBytes: bytes.optional(),
  /** Phases outside active time, milliseconds: image pull, container start, permission fix, ... */
  phasesMs: z.record(z.string(), z.number()).optional(),
  imageBytes: bytes.optional(),
  labels: z.record(z.string(), z.string()).optional(),
});
export type SessionRecord = z.infer<typeof SessionRecord>;

/** Usage of one cgroup at one moment. Absent `scope` means the whole session. */
export const SampleRecord = z.object({
  type: z.literal('sample'),
  session: id,
  scope: z.enum(['session', 'agent', 'call']).optional(),
  call: id.optional(),
  t: time,
  memoryBytes: bytes,
  anonBytes: bytes.optional(),
  fileBytes: bytes.optional(),
  kernelBytes: bytes.optional(),
  swapBytes: bytes.optional(),
  /** Cumulative CPU time. */
  cpuUsec: usec.optional(),
  /** Imported only: CPU per cent of one core averaged since the container's start, as `podman stats` reports it. */
  cpuLifetimePercent: z.number().nonnegative().optional(),
  ioReadBytes: bytes.optional(),
  ioWriteBytes: bytes.optional(),
  pids: count.optional(),
  /** PSI totals, cumulative. */
  memorySomeUsec: usec.optional(),
  memoryFullUsec: usec.optional(),
  cpuSomeUsec: usec.optional(),
  ioSomeUsec: usec.optional(),
});
export type SampleRecord = z.infer<typeof SampleRecord>;

/** What the system says to the agent about a call, in words and as data. */
export const Feedback = z.object({
  kind: z.enum(['oom', 'ceiling', 'pids', 'throttled', 'frozen', 'time', 'held']),
  text: z.string(),
  advice: z.string(),
  peakBytes: bytes.optional(),
  limitBytes: bytes.optional(),
  process: z.string().optional(),
});
export type Feedback = z.infer<typeof Feedback>;

/** One tool call, written when its shell ends, and again when its last background process has ended. The later one wins. */
export const CallRecord = z.object({
  type: z.literal('call'),
  call: id,
  session: id,
  tenant: Name,
  /** The agent's tool: `Bash` and its like; other tools (Read, Task, ...) come from importers. */
  tool: z.string(),
  /** Unset when redacted or not recorded. */
  command: z.string().optional(),
  argv: z.array(z.string()).optional(),
  cwd: z.string().optional(),
  /** The agent's own id of this call, where it gives one. */
  agentCallId: z.string().optional(),
  /** The agent's own id of its session, where it gives one. */
  agentSessionId: z.string().optional(),
  /** How the call came under control. Absent for imported traces. */
  via: z.enum(['shim', 'adopted', 'sdk', 'mcp', 'hook', 'process-tree']).optional(),
  /** Belongs to a sub-agent (a side chain) of the session. */
  subAgent: z.boolean().optional(),
  /** Encloses the calls of a sub-agent (Claude Code's Task): its time must not be added to theirs. */
  envelope: z.boolean().optional(),
  start: time,
  end: time.optional(),
  durationMs: z.number().nonnegative().optional(),
  exitCode: z.number().int().nullable().optional(),
  signal: z.string().nullable().optional(),
  peakBytes: bytes.optional(),
  cpuUserUsec: usec.optional(),
  cpuSystemUsec: usec.optional(),
  ioReadBytes: bytes.optional(),
  ioWriteBytes: bytes.optional(),
  maxPids: count.optional(),
  /** From memory.events, never from exit status 137. */
  oomKilled: z.boolean().optional(),
  /** The process with the largest peak RSS seen in the call. */
  peakProcess: z.object({ comm: z.string(), rssBytes: bytes }).optional(),
  limitBytes: bytes.optional(),
  background: z.boolean().optional(),
  /** Ended by us: the shim was killed, the session ended, a rung of the ladder. */
  killedBy: z.enum(['oom', 'ladder', 'agent', 'session', 'limit']).optional(),
  throttledMs: z.number().nonnegative().optional(),
  frozenMs: z.number().nonnegative().optional(),
  heldMs: z.number().nonnegative().optional(),
  hint: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
  hintErrors: z.array(z.string()).optional(),
  feedback: Feedback.optional(),
  explanations: z.array(z.object({ t: time, text: z.string() })).optional(),
});
export type CallRecord = z.infer<typeof CallRecord>;

/** Anything else worth keeping: decisions of the policy, OOM kills, adoption, daemon restarts, model turns of imported sessions. */
export const EventRecord = z.object({
  type: z.literal('event'),
  session: id.optional(),
  call: id.optional(),
  t: time,
  kind: z.string().min(1).max(64),
  text: z.string().optional(),
  data: z.record(z.string(), z.unknown()).optional(),
});
export type EventRecord = z.infer<typeof EventRecord>;

export const TraceRecord = z.discriminatedUnion('type', [SessionRecord, SampleRecord, CallRecord, EventRecord]);
export type TraceRecord = z.infer<typeof TraceRecord>;
