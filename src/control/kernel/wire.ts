/**
 * bpf/agentcgroup.h, said in TypeScript. The header has the meaning and the unit of every field; here is what must change with
 * it. Checked against the object's BTF at every load.
 */
import { bits64, bytes, id, s64, struct, text, u32, u64, type ValueOf } from './layout.ts';

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
