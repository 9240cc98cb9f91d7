/** The files of a cgroup and their types: what `Cgroup.read` returns and `Cgroup.write` takes, file by file. */
import {
  type Limit,
  parseCgroupEvents,
  parseCgroupStat,
  parseCount,
  parseCpuMax,
  parseCpuStat,
  parseFlag,
  parseIoStat,
  parseIoWeight,
  parseLimit,
  parseMemoryEvents,
  parseMemoryStat,
  parsePids,
  parsePidsEvents,
  parsePressure,
  parseSwapEvents,
  parseType,
  parseWords,
} from './parse.ts';

/** Parsers by file. Memory sizes are bytes, CPU times microseconds. */
export const readers = {
  'cgroup.controllers': parseWords,
  'cgroup.events': parseCgroupEvents,
  'cgroup.freeze': parseFlag,
  'cgroup.procs': parsePids,
  'cgroup.stat': parseCgroupStat,
  'cgroup.subtree_control': parseWords,
  'cgroup.threads': parsePids,
  'cgroup.type': parseType,
  'cpu.idle': parseFlag,
  'cpu.max': parseCpuMax,
  'cpu.pressure': parsePressure,
  'cpu.stat': parseCpuStat,
  'cpu.weight': parseCount,
  'io.pressure': parsePressure,
  'io.stat': parseIoStat,
  'io.weight': parseIoWeight,
  'memory.current': parseCount,
  'memory.events': parseMemoryEvents,
  'memory.events.local': parseMemoryEvents,
  'memory.high': parseLimit,
  'memory.low': parseLimit,
  'memory.max': parseLimit,
  'memory.min': parseLimit,
  'memory.oom.group': parseFlag,
  'memory.peak': parseCount,
  'memory.pressure': parsePressure,
  'memory.stat': parseMemoryStat,
  'memory.swap.current': parseCount,
  'memory.swap.events': parseSwapEvents,
  'memory.swap.max': parseLimit,
  'memory.swap.peak': parseCount,
  'pids.current': parseCount,
  'pids.events': parsePidsEvents,
  'pids.max': parseLimit,
  'pids.peak': parseCount,
} as const satisfies Record<string, (text: string, file: string) => unknown>;

export type ReadableFile = keyof typeof readers;
/** The value of a file. */
export type FileValue<F extends ReadableFile> = ReturnType<(typeof readers)[F]>;

// The kernel judges the values: a bad one comes back as EINVAL or ERANGE and is reported as such.
const plain = (value: Limit) => String(value);
const flag = (value: boolean) => (value ? '1' : '0');

/** Formatters by file. */
export const writers = {
  'cgroup.freeze': flag,
  'cgroup.kill': (_: true) => '1',
  /** Moves a process here. Its memory stays charged where it was: better to be born inside. */
  'cgroup.procs': (pid: number) => String(pid),
  /** Signed names: `+memory`, `-io`. */
  'cgroup.subtree_control': (changes: string[]) => changes.join(' '),
  'cpu.idle': flag,
  'cpu.max': (v: { quotaUsec: Limit; periodUsec: number }) => `${v.quotaUsec} ${v.periodUsec}`,
  /** 1 to 10000, default 100. */
  'cpu.weight': plain,
  /** The default for all devices: 1 to 10000, default 100. */
  'io.weight': (weight: number) => `default ${weight}`,
  'memory.high': plain,
  'memory.low': plain,
  'memory.max': plain,
  'memory.min': plain,
  'memory.oom.group': flag,
  'memory.swap.max': plain,
  'pids.max': plain,
} as const;

export type WritableFile = keyof typeof writers;
/** What a file takes. */
export type FileInput<F extends WritableFile> = Parameters<(typeof writers)[F]>[0];
