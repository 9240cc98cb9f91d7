/**
 * The forms of the evaluation: the scenario file, the arm, and the run, which is one line of `runs.ndjson`. Everything
 * that reads or writes them, the report included, starts here.
 *
 * Units. A name that ends in `Ms` is milliseconds, in `Us` microseconds, both on the monotonic clock of the machine that
 * ran; `...Bytes` is bytes. Times within a run count from its barrier (all sessions set up, none started yet), which is 0.
 * What was not measured is null or absent, never zero.
 */
import { z } from 'zod';
import { Name, Priority, parseDuration, parseSize } from '../../model/index.ts';

const SIZE = 'expected a size: bytes, or a number with k, m, g or t, as in 512m or 2G';
const size = z
  .union([z.number().int().nonnegative(), z.string().regex(/^\s*\d{1,15}(\.\d{1,6})?\s*[kmgt]?(ib?|b)?\s*$/i, SIZE)], {
    error: SIZE,
  })
  .transform((v) => (typeof v === 'number' ? v : parseSize(v)));

const duration = z
  .string({ error: 'expected a duration with its unit, as in 500ms, 10s or 2m' })
  .regex(/^\s*(0|\d{1,9}(\.\d{1,6})?\s*(ms|s|m|h))\s*$/, 'expected a duration with its unit, as in 500ms, 10s or 2m')
  .transform((v) => parseDuration(v));

/** What a call holds at a moment of its own time; between two points it changes evenly. */
export const ShapePoint = z.strictObject({
  at: duration,
  /** Anonymous memory, of all its processes together. */
  anon: size.default(0),
  /** Page cache it has read or written so far. It only grows; the kernel may drop it. */
  file: size.default(0),
  /** CPUs kept busy from here to the next point: 0.5 is half of one. */
  cpu: z.number().nonnegative().max(64).default(0),
});
export type ShapePoint = z.infer<typeof ShapePoint>;

/** One tool call described by its shape. */
export const CallShape = z.strictObject({
  /** What it stands for, as in `pytest -q`: its first word is the program's name that control sees. */
  command: z.string().min(1).max(200).default('replay'),
  /** Think time of the agent before it. */
  after: duration.prefault('0ms'),
  shape: z.array(ShapePoint).min(1),
  /** Processes it forks; memory and CPU are divided evenly among them. 1: it works itself. */
  workers: z.number().int().min(1).max(1000).default(1),
  /** AGENT_RESOURCE_HINT before it. */
  hint: z.string().max(200).optional(),
  /** How often the agent tries again when it was killed. */
  retries: z.number().int().min(0).max(1000).default(0),
  /** Told by feedback why it was killed, the agent tries again with this part of the memory (1: the same again). */
  smaller: z.number().positive().max(1).default(1),
  /** The call so often, one after the other. */
  repeat: z.number().int().min(1).max(10_000).default(1),
});
export type CallShape = z.infer<typeof CallShape>;

/** One agent session. Exactly one of `calls`, `trace`, `synthetic`, `commands` says what it does. */
export const ScenarioSession = z
  .strictObject({
    name: Name,
    /** The session so often, as NAME-1, NAME-2, ... */
    count: z.number().int().min(1).max(1000).default(1),
    /** Whose it is; absent: a tenant of its own. */
    tenant: Name.optional(),
    priority: Priority.default('normal'),
    /** Starts so long after the barrier. */
    startAfter: duration.prefault('0ms'),
    /** What the agent itself holds, set up before the barrier. */
    agent: z.strictObject({ anon: size.prefault('60m'), file: size.prefault('0') }).prefault({}),
    /** A provisioned limit for this session, for the arms that give one; absent: what the arm says. */
    limit: size.optional(),
    /** The memory.high of arm `memory-high` where the scenario states one. */
    soft: size.optional(),
    calls: z.array(CallShape).optional(),
    /** A recorded session: a folder or file below the data set's folder, or an absolute path. */
    trace: z
      .strictObject({
        path: z.string().min(1),
        /**
         * `calls`: its tool calls, one by one. `whole`: the session's memory as one call, as the paper replays it. `commands`: its
         * commands, really executed in a copy of `workspace`, with the recorded time to think in between.
         */
        as: z.enum(['calls', 'whole', 'commands']).default('calls'),
        workspace: z.string().min(1).optional(),
        /** The paper reads the data set's decimal megabytes as MiB: its own rule, 1.048576. */
        scale: z.number().positive().default(1),
      })
      .refine((t) => (t.as === 'commands') === (t.workspace !== undefined), {
        error: 'workspace goes with `as: commands`, and with nothing else',
      })
      .optional(),
    /** Drawn from distributions fitted to a set of traces. */
    synthetic: z.strictObject({ traces: z.array(z.string().min(1)).min(1), calls: z.number().int().min(1) }).optional(),
    /** Really executed, in a copy of `workspace`. */
    commands: z
      .strictObject({
        workspace: z.string().min(1),
        run: z
          .array(
            z.strictObject({
              after: duration.prefault('0ms'),
              command: z.string().min(1),
              hint: z.string().optional(),
            }),
          )
          .min(1),
      })
      .optional(),
  })
  .refine((s) => [s.calls, s.trace, s.synthetic, s.commands].filter((x) => x !== undefined).length === 1, {
    error: 'expected exactly one of calls, trace, synthetic, commands',
  });
export type ScenarioSession = z.infer<typeof ScenarioSession>;

/** A scenario file, `scenarios/*.yaml`. */
export const Scenario = z.strictObject({
  name: Name,
  title: z.string().min(1),
  /** What it asks, for people. */
  what: z.string().min(1),
  node: z.strictObject({
    /** Limit of all sessions together. */
    memory: size,
    swap: size.prefault('0'),
    cpus: z.number().int().min(1).max(64).default(2),
    /** Transparent huge pages, as the kernel's `enabled` file has it. */
    hugePages: z.enum(['always', 'madvise', 'never']).default('always'),
  }),
  /**
   * `time`: a call follows the recorded clock and catches up what it was held up by. `work`: every growth, pause and piece of CPU
   * work takes place in full, whenever it gets there. Nothing is skipped in either.
   */
  mode: z.enum(['time', 'work']).default('work'),
  /** Recorded time passes so many times faster (traces; shapes are written as they are to run). */
  speed: z.number().positive().default(1),
  /** Runs of each arm, unless the command line says otherwise. */
  runs: z.number().int().min(1).max(10_000).default(20),
  seed: z.number().int().nonnegative().default(1),
  /** A run that takes longer is broken off; its sessions count as not completed. */
  timeLimit: duration.prefault('60s'),
  /** Density: the scenario is run with the session `session` at each of these counts, a `variant` each. */
  sweep: z.strictObject({ session: Name, counts: z.array(z.number().int().min(1).max(1000)).min(1) }).optional(),
  /** Arms that are run unless the command line names others. */
  arms: z.array(Name).default(['alone', 'none', 'static-peak', 'agentcgroup-sched-ext']),
  sessions: z.array(ScenarioSession).min(1),
});
export type Scenario = z.infer<typeof Scenario>;
export type ScenarioInput = z.input<typeof Scenario>;

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
