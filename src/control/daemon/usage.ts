import type { CallRecord, SampleRecord } from '../../model/index.ts';
import type { Cgroup } from '../cgroup/index.ts';

type Usage = Pick<
  CallRecord,
  'peakBytes' | 'cpuUserUsec' | 'cpuSystemUsec' | 'ioReadBytes' | 'ioWriteBytes' | 'maxPids' | 'oomKilled'
>;

/** Leaves out what is undefined: a trace field that was not measured is absent. */
export function measured<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

/** What a call has used in all, from its cgroup's own counters. Fields whose controller is missing are absent. */
export function callUsage(cgroup: Cgroup, controllers: ReadonlySet<string>): Usage {
  const cpu = cgroup.read('cpu.stat');
  const io = controllers.has('io') ? cgroup.read('io.stat') : undefined;
  const memory = controllers.has('memory');
  const events = memory ? cgroup.read('memory.events') : undefined;
  return measured<Usage>({
    peakBytes: memory ? cgroup.read('memory.peak') : undefined,
    cpuUserUsec: cpu?.userUsec,
    cpuSystemUsec: cpu?.systemUsec,
    ioReadBytes: io?.reduce((sum, device) => sum + device.readBytes, 0),
    ioWriteBytes: io?.reduce((sum, device) => sum + device.writeBytes, 0),
    maxPids: controllers.has('pids') ? cgroup.read('pids.peak') : undefined,
    oomKilled: events && events.oomKill > 0,
  });
}

/** One sample of a cgroup now; undefined without a memory controller, or when the cgroup is gone. */
export function sampleOf(
  cgroup: Cgroup,
  place: Pick<SampleRecord, 'session' | 'scope' | 'call'>,
  t: number,
): SampleRecord | undefined {
  const memoryBytes = cgroup.read('memory.current');
  if (memoryBytes === undefined) return undefined;
  const stat = cgroup.read('memory.stat');
  const pressure = cgroup.read('memory.pressure');
  return measured<SampleRecord>({
    type: 'sample',
    ...place,
    t,
    memoryBytes,
    anonBytes: stat?.anonBytes,
    fileBytes: stat?.fileBytes,
    kernelBytes: stat?.kernelBytes,
    swapBytes: cgroup.read('memory.swap.current'),
    cpuUsec: cgroup.read('cpu.stat')?.usageUsec,
    pids: cgroup.read('pids.current'),
    memorySomeUsec: pressure?.some.totalUsec,
    memoryFullUsec: pressure?.full?.totalUsec,
  });
}
