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
  /** The set of sessions this one belongs to: the folder name of a data set. Sets are never mixed silently. */
  dataset: z.string().optional(),
  /** Number of this attempt at the task, counted from 1. */
  attempt: count.optional(),
  /** Is this the last attempt at its task? Absent where attempts are not known. */
  lastAttempt: z.boolean().optional(),
  argv: z.array(z.string()).optional(),
  /** Of the container, the agent process or the recording: the widest the source knows. */
  start: time,
  end: time.optional(),
  /** First and last entry in the agent's own log: between them the agent was active. */
  activeStart: time.optional(),
  activeEnd: time.optional(),
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
  /**
   * Phases as the source timed them, milliseconds. Of the data set: `pull` (image pull), `permissionFix` (chown and
   * re-commit of the image, before the container starts), `run` (container start to end: the paper's claude_time), `total`.
   */
  phasesMs: z.record(z.string(), z.number()).optional(),
  imageBytes: bytes.optional(),
  labels: z.record(z.string(), z.string()).optional(),
});
export type SessionRecord = z.infer<typeof SessionRecord>;

/** Usage of one cgroup (or process tree) at one moment. Absent `scope` means the whole session. */
export const SampleRecord = z.object({
  type: z.literal('sample'),
  session: id,
  /** `cgroup`: another cgroup below the recorded one, named in `cgroup`. */
  scope: z.enum(['session', 'agent', 'call', 'cgroup']).optional(),
  call: id.optional(),
  /** Path of the sampled cgroup relative to the session's, for scope `cgroup`. */
  cgroup: z.string().optional(),
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
  /** Imported only: memory as the source wrote it, kept so that a faulty reading of it can be reproduced. */
  memoryText: z.string().optional(),
  /** The container had already ended: memory and CPU are zeros of the sampler, not a measurement. */
  gone: z.boolean().optional(),
  /** Cumulative bytes read from and written to block devices. */
  ioReadBytes: bytes.optional(),
  ioWriteBytes: bytes.optional(),
  /** Processes and threads, as pids.current counts them. */
  pids: count.optional(),
  /** PSI totals, cumulative. */
  memorySomeUsec: usec.optional(),
  memoryFullUsec: usec.optional(),
  cpuSomeUsec: usec.optional(),
  cpuFullUsec: usec.optional(),
  ioSomeUsec: usec.optional(),
  ioFullUsec: usec.optional(),
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
  /** Place of the call in the source's own list, from 0: ties in `start` keep their order. */
  seq: count.optional(),
  /** The tool told the agent that the call failed. */
  isError: z.boolean().optional(),
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

/**
 * Anything else worth keeping: decisions of the policy, OOM kills, adoption, daemon restarts, and of imported sessions
 * the agent's own log: kinds `llm-output` (data: LlmOutput), `llm-input` (data: LlmInput), `agent-log` (other entries,
 * data.type names them) and `agent-stderr` (text).
 */
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

/** `data` of an `llm-output` event: one entry of the agent's log with output of the model. One message may have several. */
export const LlmOutput = z.object({
  /** The model's message: entries with the same id are blocks of one message, each repeating its usage. */
  message: z.string().optional(),
  model: z.string().optional(),
  /** Tokens as logged, which may be a streaming placeholder. */
  outputTokens: count.optional(),
  inputTokens: count.optional(),
  cacheReadTokens: count.optional(),
  cacheWriteTokens: count.optional(),
  /** Kinds of the content blocks: text, thinking, tool_use, ... */
  blocks: z.array(z.string()).optional(),
  /** Calls asked for in this entry. */
  calls: z.array(id).optional(),
  subAgent: z.boolean().optional(),
});
export type LlmOutput = z.infer<typeof LlmOutput>;

/** `data` of an `llm-input` event: what was given to the model. */
export const LlmInput = z.object({
  /** Calls whose results these are; absent for what the user or the agent program said. */
  results: z.array(id).optional(),
  subAgent: z.boolean().optional(),
});
export type LlmInput = z.infer<typeof LlmInput>;

export const TraceRecord = z.discriminatedUnion('type', [SessionRecord, SampleRecord, CallRecord, EventRecord]);
export type TraceRecord = z.infer<typeof TraceRecord>;
