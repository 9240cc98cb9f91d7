import type { CallRecord, SampleRecord } from '../../model/index.ts';
import type { Cgroup, FileValue } from '../cgroup/index.ts';
import type { Applied, Usage } from '../policy/index.ts';

type CallUsage = Pick<
  CallRecord,
  'peakBytes' | 'cpuUserUsec' | 'cpuSystemUsec' | 'ioReadBytes' | 'ioWriteBytes' | 'maxPids' | 'oomKilled'
>;

/** Leaves out what is undefined: a trace field that was not measured is absent. */
export function measured<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

/** What a call has used in all, from its cgroup's own counters. Fields whose controller is missing are absent. */
export function callUsage(cgroup: Cgroup, controllers: ReadonlySet<string>): CallUsage {
  const cpu = cgroup.read('cpu.stat');
  const io = controllers.has('io') ? cgroup.read('io.stat') : undefined;
  const memory = controllers.has('memory');
  const events = memory ? cgroup.read('memory.events') : undefined;
  return measured<CallUsage>({
    peakBytes: memory ? cgroup.read('memory.peak') : undefined,
    cpuUserUsec: cpu?.userUsec,
    cpuSystemUsec: cpu?.systemUsec,
    ioReadBytes: io?.reduce((sum, device) => sum + device.readBytes, 0),
    ioWriteBytes: io?.reduce((sum, device) => sum + device.writeBytes, 0),
    maxPids: controllers.has('pids') ? cgroup.read('pids.peak') : undefined,
    oomKilled: events && events.oomKill > 0,
  });
}

/** Whose usage a sample is. */
export type Place = Pick<SampleRecord, 'session' | 'scope' | 'call'>;

/** What is read of a memory cgroup at once, for the trace and for the policy. */
export interface Reading {
  current: number;
  stat: NonNullable<FileValue<'memory.stat'>>;
  swap: number | undefined;
  pids: number | undefined;
}

/** Undefined without a memory controller, or when the cgroup is gone. */
export function readUsage(cgroup: Cgroup): Reading | undefined {
  const current = cgroup.read('memory.current');
  const stat = cgroup.read('memory.stat');
  if (current === undefined || stat === undefined) return undefined;
  return { current, stat, swap: cgroup.read('memory.swap.current'), pids: cgroup.read('pids.current') };
}

/** A reading as a sample of the trace. */
export function sampleOf(cgroup: Cgroup, reading: Reading, place: Place, t: number): SampleRecord {
  const { current, stat, swap, pids } = reading;
  const pressure = cgroup.read('memory.pressure');
  return measured<SampleRecord>({
    type: 'sample',
    ...place,
    t,
    memoryBytes: current,
    anonBytes: stat.anonBytes,
    fileBytes: stat.fileBytes,
    kernelBytes: stat.kernelBytes,
    swapBytes: swap,
    cpuUsec: cgroup.read('cpu.stat')?.usageUsec,
    pids,
    memorySomeUsec: pressure?.some.totalUsec,
    memoryFullUsec: pressure?.full?.totalUsec,
  });
}

/** What the policy decides by, and nothing else: half of the reads. Undefined without a memory controller, or when the cgroup is gone. */
export function readForPolicy(cgroup: Cgroup): Usage | undefined {
  const current = cgroup.read('memory.current');
  const stat = cgroup.read('memory.stat');
  if (current === undefined || stat === undefined) return undefined;
  return policyUsage({ current, stat, swap: undefined, pids: undefined });
}

/** The policy's bands as they are in force, by this daemon or an earlier one; none without a memory controller. */
export function inForceOf(cgroup: Cgroup): Applied {
  const bytes = (file: 'memory.min' | 'memory.low') => {
    const value = cgroup.read(file) ?? 0;
    return value === 'max' ? Number.MAX_SAFE_INTEGER : value;
  };
  return {
    min: bytes('memory.min'),
    low: bytes('memory.low'),
    high: cgroup.read('memory.high') ?? 'max',
    max: cgroup.read('memory.max') ?? 'max',
  };
}

/** A reading as the policy takes it. */
export function policyUsage({ current, stat, swap, pids }: Reading): Usage {
  return measured<Usage>({
    current,
    anon: stat.anonBytes,
    inactiveFile: stat.inactiveFileBytes,
    refaults: stat.refaults,
    swap,
    pids,
  });
}
