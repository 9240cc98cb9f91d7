/** The form of a scenario file: what is written, with units, becomes milliseconds and bytes. */
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
