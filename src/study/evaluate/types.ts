/**
 * The forms of the evaluation: the scenario file, the arm, and the run, which is one line of `runs.ndjson`. Everything
 * that reads or writes them, the report included, starts here.
 *
 * Units. A name that ends in `Ms` is milliseconds, in `Us` microseconds, both on the monotonic clock of the machine that
 * ran; `...Bytes` is bytes. Times within a run count from its barrier (all sessions set up, none started yet), which is 0.
 * What was not measured is null or absent, never zero.
 */
import { z } from 'zod';
import { Priority } from '../../model/index.ts';

export * from './scenario-form.ts';

/** How a tool call ended. `lost`: its agent died, or the run was broken off, while it ran or waited. */
export const CallOutcome = z.enum(['done', 'failed', 'killed', 'lost']);
export type CallOutcome = z.infer<typeof CallOutcome>;

export const RunCall = z.object({
  /** Number within the session, from 0; a second attempt at a killed call is a call of its own. */
  n: z.number().int(),
  command: z.string(),
  /** 0, or which retry it is. */
  attempt: z.number().int(),
  /** Asked for (includes admission and interception), its first own instruction, its end. */
  askedMs: z.number(),
  startMs: z.number().nullable(),
  endMs: z.number().nullable(),
  outcome: CallOutcome,
  /** As the agent saw it; 128 + signal as shells have it. */
  exitCode: z.number().int().nullable(),
  /** Was the agent told why, in words? */
  feedback: z.boolean(),
  /** Memory it was to reach, all processes together. */
  wantedBytes: z.number(),
  /** Time it stood still or crawled, as [from, to]: a step that took `pauseMs` (of the run) longer than it was to take. */
  pausesMs: z.array(z.tuple([z.number(), z.number()])),
});
export type RunCall = z.infer<typeof RunCall>;

export const RunSession = z.object({
  session: z.string(),
  tenant: z.string(),
  priority: Priority,
  /** Sessions that do the same (replicas) share this name: that of the scenario file. */
  role: z.string(),
  /** Did the agent live to the end? Its own exit, checked against the kernel's counters. */
  alive: z.boolean(),
  /** Alive, and every call done (or done on a retry) within the time limit. The paper's "survived". */
  completed: z.boolean(),
  startMs: z.number(),
  /** When its agent was set up: below 0 for those that are there from the beginning. null: it never was. */
  readyMs: z.number().nullable().default(null),
  /** The end of its last call; null when it did not get there. */
  endMs: z.number().nullable(),
  calls: z.array(RunCall),
  /** Latency of each growth step of 1 MiB of anonymous memory, all calls, in order. Whole microseconds. */
  growthUs: z.array(z.number().int()),
});
export type RunSession = z.infer<typeof RunSession>;

/** Where a cgroup stands on the ladder at a sample; `slow`: its memory.high or a rate holds it back. */
export const Rung = z.enum(['frozen', 'slow']);

/** Memory of one cgroup over time. For calls `call` is the name of its cgroup; the agent's own leaf has none. */
export const TimelineSeries = z.object({
  session: z.string(),
  call: z.string().nullable(),
  /** Aligned with `timeline.atMs`; null before it exists and after it is gone. */
  bytes: z.array(z.number().nullable()),
  /** Rungs seen, as [rung, from, to]. */
  rungs: z.array(z.tuple([Rung, z.number(), z.number()])),
});

/** What a controller decided about a call, in its own words. */
export const Decision = z.object({
  /** Since the barrier; of a run that broke, until its end (negative). */
  atMs: z.number(),
  session: z.string(),
  /** Its id; `SESSION.N` has the cgroup `tool-N`. */
  call: z.string(),
  decision: z.string(),
  text: z.string(),
});
export type Decision = z.infer<typeof Decision>;

export const Environment = z.object({
  kernel: z.string(),
  /** `lab` or `here`. */
  where: z.enum(['lab', 'here']),
  /** `kvm`, `tcg` (emulated), `none`. */
  accelerator: z.string(),
  /** Its clock counts instructions, 2 ns each. */
  deterministicClock: z.boolean(),
  cpus: z.number().int(),
  memoryBytes: z.number(),
  swapBytes: z.number(),
  hugePages: z.string(),
  node: z.string(),
  agentcgroup: z.string(),
  /**
   * What of it ran: the lab's bundle, modules as they are published, or the sources, with which a daemon takes twice as long to
   * start. Absent: not known.
   */
  program: z.enum(['bundle', 'built', 'sources']).optional(),
  /** Versions of a peer's package, where the arm runs one. */
  peer: z.string().optional(),
});
export type Environment = z.infer<typeof Environment>;

/**
 * What a run came to, in numbers that statistics can take one by one. null: does not apply, or was not measured. HIGH means the
 * sessions with the highest priority of the scenario, LOW all others; where all have the same, all are LOW and HIGH is null.
 */
export const Measures = z.object({
  sessions: z.number(),
  agentsAlive: z.number(),
  agentsLost: z.number(),
  sessionsCompleted: z.number(),
  callsDone: z.number(),
  callsKilled: z.number(),
  callsKilledWithFeedback: z.number(),
  callsLost: z.number(),
  /** OOM kills in the node's tree by the kernel's counter, and of whole groups. */
  oomKills: z.number().nullable(),
  oomGroupKills: z.number().nullable(),
  /** From the barrier (or startAfter) to the end of the last call; the mean of several sessions. null when one did not complete. */
  highMs: z.number().nullable(),
  lowMs: z.number().nullable(),
  /** Until the last session was over. */
  makespanMs: z.number(),
  /** Share of the time in which HIGH ran a call and a LOW ran or wanted to run one, in which that LOW really ran. 0 to 1. */
  overlap: z.number().nullable(),
  /** The longest single pause, admission included. */
  highLongestPauseMs: z.number().nullable(),
  lowLongestPauseMs: z.number().nullable(),
  /** Sum over time of what was set aside for sessions (limits; for arms without any: the node), and of what was charged. Byte-seconds. */
  provisionedByteSeconds: z.number(),
  usedByteSeconds: z.number(),
  /** Most memory charged to the node's tree at once, and its mean. */
  peakBytes: z.number(),
  meanBytes: z.number(),
  /** PSI of the node's tree, by the run's time: share of time in which some or all tasks waited. 0 to 1. */
  memorySome: z.number().nullable(),
  memoryFull: z.number().nullable(),
  cpuSome: z.number().nullable(),
  ioFull: z.number().nullable(),
  /** CPU of the controller (daemon or peer) by the run's time, 1 is one CPU; its largest resident set. */
  controllerCpu: z.number().nullable(),
  controllerBytes: z.number().nullable(),
  /** From the node's free memory falling below 5 % to the first rung, limit change or kill that was seen; resolution: `sampleMs`. */
  reactionMs: z.number().nullable(),
});
export type Measures = z.infer<typeof Measures>;

/** One run of one arm: a line of `runs.ndjson`. The later line of the same scenario, variant, arm and run wins. */
export const Run = z.object({
  version: z.literal(1),
  scenario: z.string(),
  /** SHA-256 of the scenario as it was read, 16 hex digits: runs of a changed scenario are not mixed. */
  scenarioHash: z.string(),
  /** Of a sweep: how many of the swept session; null otherwise. */
  variant: z.number().int().nullable(),
  arm: z.string(),
  /** Repetition, from 0. Runs with the same number of the same scenario and variant are a block: shuffled, side by side. */
  run: z.number().int(),
  /** Of this run: made from the scenario's seed and `run`, the same for all arms. */
  seed: z.number().int(),
  /** Place in the order in which the runs were made, from 0. */
  order: z.number().int(),
  /** ISO 8601, wall clock. */
  startedAt: z.string(),
  /** Set-up and tear-down included. */
  wallMs: z.number(),
  /** Of that, until the barrier (of all rounds, where there are several). */
  setupMs: z.number(),
  /**
   * How often something asked for a file of the host's between barrier and end: a clock that counts instructions skips ahead
   * meanwhile. null: not counted (not in the lab).
   */
  hostWaits: z.number().int().nullable().default(null),
  /** Why this run cannot count, in words; null: it can. A broken run has no measures; it is shown, never dropped. */
  broken: z.string().nullable(),
  environment: Environment,
  nodeBytes: z.number(),
  /** A step that took so much longer than it was to take is a pause. */
  pauseMs: z.number(),
  /** Distance of the time line's samples. */
  sampleMs: z.number(),
  sessions: z.array(RunSession),
  measures: Measures.nullable(),
  /** Empty: the controller decided nothing, or tells nothing, or there is none. */
  decisions: z.array(Decision).default([]),
  timeline: z
    .object({ atMs: z.array(z.number()), nodeBytes: z.array(z.number()), series: z.array(TimelineSeries) })
    .nullable(),
});
export type Run = z.infer<typeof Run>;

/** What `agentcgroup evaluate` was asked, beside the runs: `plan.json`. */
export const Plan = z.object({
  version: z.literal(1),
  createdAt: z.string(),
  command: z.array(z.string()),
  scenarios: z.array(z.object({ hash: z.string(), scenario: z.unknown() })),
  runs: z.array(
    z.object({
      scenario: z.string(),
      variant: z.number().int().nullable(),
      arm: z.string(),
      run: z.number().int(),
      seed: z.number().int(),
      order: z.number().int(),
    }),
  ),
});
export type Plan = z.infer<typeof Plan>;
export type PlannedRun = Plan['runs'][number];

/**
 * An arm: how sessions are put under control. One file each in `arms/`. `alone` is the reference: every role of the
 * scenario (one session of it) runs by itself, one after the other, on the whole node, with no limit but the node's.
 */
export interface ArmInfo {
  name: string;
  /** One sentence for the report. */
  what: string;
  /** Stands for somebody else's product, run as Debian packages it. */
  peer?: boolean;
}
