/**
 * The configuration, `agentcgroup.yaml`. Unknown keys are errors; every key has a default, so that an empty file is a
 * valid one. Sizes are written as in "512m" (parseSize), durations as in "10s" (parseDuration); parsed they are bytes
 * and milliseconds. The descriptions below are the documentation: they go into the published JSON Schema.
 */
import { z } from 'zod';
import { parseDuration } from './duration.ts';
import { AcgError } from './errors.ts';
import { Name, Priority } from './names.ts';
import { parseSize } from './size.ts';

/** What agentcgroup may do: nothing at all; record and say what it would do; act. */
export const Mode = z.enum(['off', 'observe', 'enforce']);
export type Mode = z.infer<typeof Mode>;

/** Which tier the daemon is to use. */
export const TierChoice = z.enum(['auto', 'cgroup', 'sched-ext']);
export type TierChoice = z.infer<typeof TierChoice>;

/** Whose tasks our sched_ext scheduler is to run. */
export const SchedulerChoice = z.enum(['full', 'partial', 'off']);
export type SchedulerChoice = z.infer<typeof SchedulerChoice>;

/** What keeps calls from growing faster than their budgets. */
export const MemoryChoice = z.enum(['governor', 'memcg-bpf', 'off']);
export type MemoryChoice = z.infer<typeof MemoryChoice>;

const SIZE = 'expected a size: bytes, or a number with k, m, g or t, as in 512m or 2G';

const size = z
  .union(
    [z.number().int().nonnegative(), z.string().regex(/^\s*\d{1,15}(\.\d{1,6})?\s*[kmgtKMGT]?([iI]?[bB])?\s*$/, SIZE)],
    {
      error: SIZE,
    },
  )
  .transform((v, ctx) => {
    try {
      return typeof v === 'number' ? v : parseSize(v);
    } catch {
      ctx.addIssue({ code: 'custom', message: 'the size is too large' });
      return z.NEVER;
    }
  });

const duration = z
  .string({ error: 'expected a duration with its unit, as in 500ms, 10s, 2m or 1h' })
  .regex(
    /^\s*(0|\d{1,9}(\.\d{1,6})?\s*(ms|s|m|h))\s*$/,
    'expected a duration with its unit, as in 500ms, 10s, 2m or 1h',
  )
  .transform((v) => parseDuration(v));

const positive = duration.refine((ms) => ms > 0, 'must be longer than 0');

const pattern = z.string().refine((text) => {
  try {
    new RegExp(text, 'gu');
    return true;
  } catch {
    return false;
  }
}, 'not a regular expression');

const TenantConfig = z.strictObject({
  guarantee: size
    .default(0)
    .describe('memory protected for this tenant while it uses it (memory.low); not a reservation'),
  budget: size
    .optional()
    .describe('the most memory this tenant may use at once (memory.max); absent: no limit of its own'),
  weight: z
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(100)
    .describe(
      'its share against other tenants when memory or CPU is short; of CPU four times that with priority high, a quarter with low',
    ),
  priority: Priority.default('normal').describe('of its sessions, unless a session names a lower one'),
  mode: Mode.optional().describe('overrides the mode above for this tenant'),
  maxSessions: z.number().int().min(1).max(100_000).default(1000),
});
export type TenantConfig = z.infer<typeof TenantConfig>;

const NodeConfig = z.strictObject({
  memory: z
    .union([z.literal('auto'), size], { error: 'expected auto or a size, as in 64g' })
    .prefault('auto')
    .describe('memory for all sessions together; auto: what the machine has and others do not use, less the reserve'),
  reserve: size.prefault('256m').describe('left to the rest of the machine when memory is auto'),
  headroom: z
    .strictObject({
      low: size
        .optional()
        .describe('below this much free memory it is short: reclaim and throttle. Absent: 5 % of the node, 64m to 4g'),
      critical: size.optional().describe('below this much: freeze, then kill. Absent: half of low'),
    })
    .prefault({}),
});

const SessionConfig = z.strictObject({
  budget: size.optional().describe('the most memory one session may use, agent included'),
  idleAfter: positive
    .prefault('2s')
    .describe('a session without a running call for this long waits for its LLM: reclaimed first'),
  agentReserve: size.prefault('32m').describe('room kept free for each agent to grow beyond its learned baseline'),
  agentSoft: size
    .prefault('1g')
    .describe(
      'an agent above this, and above four times its baseline, is a runaway: throttled while memory is short, reported',
    ),
  agentMax: size.prefault('4g').describe('hard ceiling of the agent itself (memory.max of its leaf)'),
  maxCalls: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(256)
    .describe('tool calls of one session at once; more are refused'),
});

const CallConfig = z.strictObject({
  memoryMax: size.optional().describe('hard ceiling of one call; absent: whatever is free'),
  pids: z.number().int().min(8).max(1_000_000).default(512).describe('processes of one call, unless hinted'),
  pidsMax: z.number().int().min(8).max(1_000_000).default(2048).describe('the most a hint can ask for'),
  timeLimit: positive.optional().describe('a call running longer is killed and told; absent: no limit'),
  backgroundLimit: positive
    .optional()
    .describe(
      'what is left running after the shell of a call ended is killed after this long; absent: lives until its session ends',
    ),
});

const LadderConfig = z.strictObject({
  sampleEvery: positive.prefault('250ms').describe('how often usage is read'),
  horizon: positive.prefault('500ms').describe('act when growth would use up the headroom within this time'),
  minCredit: size.prefault('32m').describe('room that every call is born with, however short memory is'),
  throttleMax: positive
    .prefault('3s')
    .describe('the longest throttle; then the ceiling is raised or the next rung is taken'),
  freezeSlice: positive.prefault('10s').describe('the longest single freeze'),
  freezeTotal: positive.prefault('30s').describe('all freezes of one call together; then it is left alone or killed'),
  rest: positive.prefault('1s').describe('a call that was paused runs at least this long before the next pause'),
  calm: positive.prefault('500ms').describe('memory must not be short for this long before a pause ends early'),
  killAfter: positive
    .prefault('2s')
    .describe('critically short for this long with nothing left to pause: kill the first victim'),
  killAfterHigh: positive.prefault('300ms').describe('the same when the one who needs memory outranks the victim'),
  forkBombAfter: positive
    .prefault('3s')
    .describe('a call that keeps running into its limit of processes for this long is killed'),
});

const ReclaimConfig = z.strictObject({
  enabled: z.boolean().default(true),
  step: size.prefault('64m').describe('the most reclaimed from one cgroup at a time'),
  every: positive.prefault('1s').describe('the shortest time between two reclaims of one cgroup'),
  refaultsPerSecond: z
    .number()
    .nonnegative()
    .default(200)
    .describe('pages; more after a reclaim means the working set was cut: stop and back off'),
  backoff: positive.prefault('30s'),
});

const AdmissionConfig = z.strictObject({
  maxWait: duration
    .prefault('20s')
    .describe('the longest a call is held before it is let in regardless; 0: never hold'),
  small: size.prefault('64m').describe('calls that need no more than this never wait'),
  maxHeld: z.number().int().min(0).max(100_000).default(256).describe('calls waiting at once; more are let in unheld'),
});

const FeedbackConfig = z.strictObject({
  pausedAtLeast: duration.prefault('2s').describe('shorter throttles and freezes are not worth telling'),
  heldAtLeast: duration.prefault('3s').describe('shorter waits before a call are not worth telling'),
});

const InterceptConfig = z.strictObject({
  fail: z
    .enum(['open', 'closed'])
    .default('open')
    .describe('without a daemon: run the command uncontrolled, or refuse it'),
  signalExit: z
    .enum(['128', 'same'])
    .default('128')
    .describe('when a command dies of signal N: exit with 128+N, or die of N too'),
  wait: duration.prefault('3s').describe('how long the shim waits for a daemon that does not answer'),
  adopt: z
    .enum(['off', 'children'])
    .default('off')
    .describe(
      'make a call of what an agent starts without a shell: children of its processes that run another program than they do',
    ),
  adoptAfter: positive
    .optional()
    .describe('only what lives longer than this is adopted; absent: at once where the kernel reports it, else 1s'),
  helpers: z
    .array(z.string().min(1).max(255))
    .default([])
    .describe('programs that belong to the agent (language servers, ...) and are never adopted: names without folder'),
});

const RecordConfig = z.strictObject({
  directory: z
    .string()
    .startsWith('/')
    .optional()
    .describe('where traces go; absent: /var/lib/agentcgroup/traces, or for others than root below ~/.local/state'),
  commands: z
    .enum(['full', 'redacted', 'none'])
    .default('redacted')
    .describe('what of a command line goes into records'),
  redact: z
    .array(pattern)
    .default([
      '(?<=\\b[A-Za-z_]*(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|CREDENTIALS?)=)(?:"[^"]*"|\'[^\']*\'|\\S+)',
      '(?<=\\b[Bb]earer )\\S+',
      '(?<=://[^/\\s:@]+:)[^@\\s/]+(?=@)',
    ])
    .describe('regular expressions; what they match is replaced by "..." when commands is redacted'),
  keepDays: z
    .number()
    .int()
    .min(1)
    .max(36_500)
    .default(30)
    .describe('older trace files are deleted, when the daemon starts and once a day'),
});

/** The whole file. Parse with `parseConfig`, which turns zod's issues into one readable ACG_CONFIG. */
export const Config = z.strictObject({
  version: z.literal(1).default(1),
  mode: Mode.default('enforce').describe('for tenants that name none'),
  dryRun: z.boolean().default(false).describe('decide and log everything, do nothing'),
  tier: TierChoice.default('auto').describe(
    'auto: the BPF programs where the kernel takes them; cgroup: cgroup files alone; sched-ext: as auto, and a kernel that refuses them is reported as a fault',
  ),
  scheduler: SchedulerChoice.default('partial').describe(
    'partial: tool calls alone run under our sched_ext scheduler; full: everything on the machine; off: nothing, and growth is throttled by cgroup files',
  ),
  memory: MemoryChoice.default('governor').describe(
    'who holds back what grows too fast. governor: the memory governor in our scheduler; memcg-bpf: memcg_bpf_ops, on a kernel with the patches in kernel/, which also spares from reclaim what a session uses, and the governor where that kernel is not; off: cgroup files',
  ),
  node: NodeConfig.prefault({}),
  tenants: z.record(Name, TenantConfig).prefault({}).describe('by name; a tenant not named here has the defaults'),
  session: SessionConfig.prefault({}),
  call: CallConfig.prefault({}),
  ladder: LadderConfig.prefault({}),
  reclaim: ReclaimConfig.prefault({}),
  admission: AdmissionConfig.prefault({}),
  feedback: FeedbackConfig.prefault({}),
  intercept: InterceptConfig.prefault({}),
  record: RecordConfig.prefault({}),
});
export type Config = z.infer<typeof Config>;

/** Rules that hold between keys; each returns what is wrong. */
function contradictions(c: Config): string[] {
  const wrong: string[] = [];
  const { low, critical } = c.node.headroom;
  if (low !== undefined && critical !== undefined && critical > low)
    wrong.push('node.headroom.critical: must not be above node.headroom.low');
  for (const [name, t] of Object.entries(c.tenants))
    if (t.budget !== undefined && t.guarantee > t.budget)
      wrong.push(`tenants.${name}.guarantee: must not be above its budget`);
  if (c.call.pids > c.call.pidsMax) wrong.push('call.pids: must not be above call.pidsMax');
  if (c.ladder.freezeSlice > c.ladder.freezeTotal)
    wrong.push('ladder.freezeSlice: must not be above ladder.freezeTotal');
  if (c.session.agentSoft > c.session.agentMax) wrong.push('session.agentSoft: must not be above session.agentMax');
  if (c.session.budget !== undefined && c.session.agentReserve * 2 > c.session.budget)
    wrong.push('session.budget: must be at least twice session.agentReserve');
  return wrong;
}

/**
 * A plain value (from YAML or the API) as a configuration. Throws ACG_CONFIG naming every wrong key with its path, prefixed
 * by `source` (a file name) if given.
 */
export function parseConfig(value: unknown, source = ''): Config {
  const parsed = Config.safeParse(value ?? {});
  const wrong = parsed.success ? contradictions(parsed.data) : parsed.error.issues.map(issueText);
  if (!parsed.success || wrong.length > 0)
    throw new AcgError('ACG_CONFIG', `${source && `${source}: `}${wrong.join('; ')}`);
  return parsed.data;
}

function issueText(issue: z.core.$ZodIssue): string {
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const where = path ? `${path}.` : '';
    return issue.keys.map((k) => `${where}${k}: no such key`).join('; ');
  }
  if (issue.code === 'invalid_key') return `${path}: ${issue.issues.map((i) => i.message).join(', ')}`;
  return `${path || 'the document'}: ${issue.message}`;
}

/**
 * A configuration as one would write it, with the defaults filled in: sizes and durations stay text ("512m", "10s"). For
 * people to read; `value` must have passed parseConfig.
 */
export function writtenConfig(value: unknown): Record<string, unknown> {
  return fill(configJsonSchema(), value ?? {}) as Record<string, unknown>;
}

interface Schema {
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  default?: unknown;
}

function fill(schema: Schema, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const filled: Record<string, unknown> = {};
  for (const [key, s] of Object.entries(schema.properties ?? {})) {
    const given = (value as Record<string, unknown>)[key] ?? s.default;
    if (given !== undefined) filled[key] = fill(s, given);
  }
  if (typeof schema.additionalProperties === 'object')
    for (const [key, v] of Object.entries(value)) filled[key] = fill(schema.additionalProperties, v);
  return filled;
}

/** JSON Schema of the file as it is written (before sizes and durations are read): docs/config.schema.json. */
export function configJsonSchema(): Record<string, unknown> {
  return {
    $id: 'agentcgroup.schema.json',
    title: 'agentcgroup.yaml',
    ...z.toJSONSchema(Config, { io: 'input', target: 'draft-2020-12' }),
  };
}
