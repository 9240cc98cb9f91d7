/**
 * bpf/agentcgroup.h, said in TypeScript. The header has the meaning and the unit of every field; here is what must change with
 * it. Checked against the object's BTF at every load.
 */
import { bits64, bytes, id, s64, struct, text, u32, u64, u64s, type ValueOf } from './layout.ts';

export const WIRE_VERSION = 1;
const COMM_LEN = 16;
const ARGS_MAX = 1024;

export const kinds = ['none', 'root', 'tenant', 'session', 'agent', 'call', 'nested'] as const;
export type Kind = (typeof kinds)[number];

export const AcgCgroup = struct('acg_cgroup', {
  tenant: id,
  session: id,
  leaf: id,
  serial: bits64,
  kind: u32,
  level: u32,
});
export type AcgCgroup = ValueOf<typeof AcgCgroup>;

export const AcgExe = struct('acg_exe', { dev: u64, ino: bits64 });
export const AcgAgent = struct('acg_agent', { mainPid: u32, zero: u32 });

export const AcgUsage = struct('acg_usage', {
  usage: u64,
  sessionUsage: u64,
  peak: u64,
  sampledNs: u64,
  sampledUsage: u64,
  growth: s64,
  peakProcess: bits64,
  ooms: u64,
});
export type AcgUsage = ValueOf<typeof AcgUsage>;

export const AcgCounts = struct('acg_counts', {
  forks: u64,
  threads: u64,
  execs: u64,
  exits: u64,
  charges: u64,
  chargedBytes: u64,
  chargeFails: u64,
  unchargedBytes: u64,
  reclaims: u64,
  reclaimNs: u64,
  reclaimedPages: u64,
  stalls: u64,
  stallNs: u64,
  runDelayNs: u64,
  samples: u64,
  outside: u64,
});
export type AcgCounts = ValueOf<typeof AcgCounts>;

export const AcgEvent = struct('acg_event', {
  timeNs: u64,
  tenant: id,
  session: id,
  leaf: id,
  type: u32,
  kind: u32,
  pid: u32,
  cpu: u32,
});
export type AcgEvent = ValueOf<typeof AcgEvent>;

export const AcgEventFork = struct('acg_event_fork', { head: AcgEvent, child: u32, zero: u32, comm: text(COMM_LEN) });

export const AcgEventExec = struct('acg_event_exec', {
  head: AcgEvent,
  exe: AcgExe,
  ppid: u32,
  argsLen: u32,
  argsTotal: u64,
  comm: text(COMM_LEN),
  args: bytes(ARGS_MAX),
});

export const AcgEventExit = struct('acg_event_exit', {
  head: AcgEvent,
  status: u32,
  oom: u32,
  startNs: u64,
  peakRss: u64,
  userNs: u64,
  systemNs: u64,
  runDelayNs: u64,
  comm: text(COMM_LEN),
});

export const AcgEventSample = struct('acg_event_sample', {
  head: AcgEvent,
  usage: u64,
  sessionUsage: u64,
  growth: s64,
  sinceNs: u64,
});

export const AcgEventOom = struct('acg_event_oom', {
  head: AcgEvent,
  anon: u64,
  file: u64,
  shmem: u64,
  swap: u64,
  comm: text(COMM_LEN),
});

export const priorities = ['high', 'normal', 'low'] as const;

export const AcgRate = struct('acg_rate', { rate: u64, burst: u64, soft: u64, priority: u32, flags: u32 });
export type AcgRate = ValueOf<typeof AcgRate>;
/** enum acg_rate_flags */
export const rateFlags = { call: 1, released: 2 } as const;

export const AcgGrowth = struct('acg_growth', {
  allowed: u64,
  refilledNs: u64,
  usage: u64,
  overs: u64,
  holds: u64,
  heldNs: u64,
  overshoot: u64,
});
export type AcgGrowth = ValueOf<typeof AcgGrowth>;

export const AcgNeed = struct('acg_need', { most: u64, running: u32, priority: u32 });
export type AcgNeed = ValueOf<typeof AcgNeed>;

/** How often reclaim asked about a cgroup of ours, and what it was told. */
export const AcgProtection = struct('acg_protection', {
  asked: u64,
  low: u64,
  min: u64,
  idle: u64,
  cold: u64,
  over: u64,
  refaults: u64,
});
export type AcgProtection = ValueOf<typeof AcgProtection>;

/** What the paper's policy has seen and done. */
export const AcgPaper = struct('acg_paper', {
  windowNs: u64,
  faults: u64,
  shownNs: u64,
  shown: u64,
  delays: u64,
  spared: u64,
});
export type AcgPaper = ValueOf<typeof AcgPaper>;

export const AcgGuard = struct('acg_guard', {
  cgroup: id,
  limit: u64,
  low: u64,
  clear: u64,
  trippedNs: u64,
  trips: u64,
  headroom: u64,
});
export type AcgGuard = ValueOf<typeof AcgGuard>;

/** enum acg_release: why a hold ended. */
export const releases = ['time', 'kill', 'oom', 'signal', 'freeze', 'asked', 'offline'] as const;
const RELEASE_REASONS = 8;
const LATENCY_BUCKETS = 32;

export const AcgGovernor = struct('acg_governor', {
  charges: u64,
  overs: u64,
  holds: u64,
  rearms: u64,
  heldNs: u64,
  shortHolds: u64,
  scheduleFails: u64,
  notParked: u64,
  worstNs: u64,
  releases: u64s(RELEASE_REASONS),
  latency: u64s(LATENCY_BUCKETS),
});
export type AcgGovernor = ValueOf<typeof AcgGovernor>;

export const AcgEventHeadroom = struct('acg_event_headroom', {
  head: AcgEvent,
  cgroup: id,
  usage: u64,
  limit: u64,
  tripped: u64,
});

export const AcgNode = struct('acg_node', {
  cgroup: id,
  vtime: bits64,
  load: u64,
  quotaNs: u64,
  periodNs: u64,
  burstNs: u64,
  budgetNs: s64,
  periodStartNs: u64,
  runNs: u64,
  throttled: u64,
  used: u32,
  parent: u32,
  weight: u32,
  cpuWeight: u32,
  idle: u32,
  ownCounted: u32,
  counted: u32,
  own: u32,
  active: u32,
  level: u32,
});
export type AcgNode = ValueOf<typeof AcgNode>;

export const AcgScheduler = struct('acg_scheduler', {
  idle: u64,
  preempts: u64,
  queued: u64,
  kept: u64,
  pinned: u64,
  throttles: u64,
  unthrottles: u64,
  requeued: u64,
  nodesFull: u64,
  wait: u64s(LATENCY_BUCKETS),
});
export type AcgScheduler = ValueOf<typeof AcgScheduler>;

export const AcgSchedulerState = struct('acg_scheduler_state', {
  startedNs: u64,
  exitedNs: u64,
  exitCode: s64,
  exitKind: u64,
  reason: text(64),
  message: text(192),
});
export type AcgSchedulerState = ValueOf<typeof AcgSchedulerState>;
