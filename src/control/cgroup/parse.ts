/**
 * What the kernel prints in cgroup files, as values (Documentation/admin-guide/cgroup-v2.rst, "Core Interface Files" and
 * "Controllers"). Pure and total: any text gives a value or an AcgError ACG_CGROUP_PARSE, never a NaN. Units are in the
 * names: `...Bytes`, `...Usec` (microseconds); a plain name is a count. Keys this release does not know are skipped
 * (kernels add some every year); keys that only some kernels print are `number | undefined`.
 *
 * Counters are JavaScript numbers: exact up to 2^53, rounded to one part in 10^16 above (9 PB of I/O).
 */
import { AcgError } from '../../model/index.ts';

/** A limit: bytes or a count, or `max` for none, the kernel's own word. */
export type Limit = number | 'max';

function fail(file: string, text: string): never {
  throw new AcgError('ACG_CGROUP_PARSE', `${file} says ${JSON.stringify(text.slice(0, 120))}`);
}

/** One non-negative integer: `memory.current`, `pids.current`, `cpu.weight`. */
export function parseCount(text: string, file = 'count'): number {
  const t = text.trim();
  return /^\d{1,20}$/.test(t) ? Number(t) : fail(file, text);
}

/** One integer or `max`: `memory.max`, `pids.max`. */
export function parseLimit(text: string, file = 'limit'): Limit {
  return text.trim() === 'max' ? 'max' : parseCount(text, file);
}

/** `0` or `1`: `cgroup.freeze`, `memory.oom.group`. */
export function parseFlag(text: string, file = 'flag'): boolean {
  const t = text.trim();
  return t === '1' || (t === '0' ? false : fail(file, text));
}

/** Words separated by white space: `cgroup.controllers`, `cgroup.subtree_control`. */
export function parseWords(text: string): string[] {
  return text.split(/\s+/).filter(Boolean);
}

/**
 * One process or thread id a line: `cgroup.procs`, `cgroup.threads`. The kernel prints 0 for a process that has no id in
 * the reader's pid namespace; those are left out, since nothing can be done to them by id.
 */
export function parsePids(text: string, file = 'cgroup.procs'): number[] {
  return parseWords(text)
    .map((word) => (/^\d{1,10}$/.test(word) ? Number(word) : fail(file, word)))
    .filter((pid) => pid > 0);
}

/** `key value` a line, all keys kept: the raw form of every `*.stat` and `*.events` file. */
export function parseFlatKeyed(text: string, file = 'flat keyed file'): Map<string, number> {
  const values = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const m = /^(\S+) (\d{1,20})$/.exec(line.trimEnd());
    if (!m) fail(file, line);
    values.set(m[1]!, Number(m[2]));
  }
  return values;
}

function required(values: Map<string, number>, key: string, file: string): number {
  return values.get(key) ?? fail(file, `no ${key}`);
}

/** `cgroup.events`. `populated`: the subtree holds a live process. */
export function parseCgroupEvents(text: string, file = 'cgroup.events'): { populated: boolean; frozen: boolean } {
  const v = parseFlatKeyed(text, file);
  return { populated: required(v, 'populated', file) !== 0, frozen: (v.get('frozen') ?? 0) !== 0 };
}

/** `cgroup.stat`: cgroups below this one; dying ones are removed but still hold memory or references. */
export function parseCgroupStat(text: string, file = 'cgroup.stat') {
  const v = parseFlatKeyed(text, file);
  return {
    descendants: required(v, 'nr_descendants', file),
    dyingDescendants: required(v, 'nr_dying_descendants', file),
  };
}

/** `memory.events` (whole subtree) and `memory.events.local`: how often each boundary was met. */
export function parseMemoryEvents(text: string, file = 'memory.events') {
  const v = parseFlatKeyed(text, file);
  return {
    low: required(v, 'low', file),
    high: required(v, 'high', file),
    max: required(v, 'max', file),
    /** The limit was hit and reclaim failed: the OOM killer was entered. */
    oom: required(v, 'oom', file),
    /** Processes killed by any kind of OOM killer. */
    oomKill: required(v, 'oom_kill', file),
    /** Times a group OOM happened (5.17 and newer). */
    oomGroupKill: v.get('oom_group_kill'),
  };
}

/** `memory.swap.events`. */
export function parseSwapEvents(text: string, file = 'memory.swap.events') {
  const v = parseFlatKeyed(text, file);
  return { high: v.get('high'), max: required(v, 'max', file), fail: required(v, 'fail', file) };
}

/** `key value` lines and nothing else, blank lines aside. */
const FLAT_KEYED = /^(?:(?:\S+ \d{1,20})?[^\S\n]*\n)*(?:\S+ \d{1,20})?[^\S\n]*$/;

/** `memory.stat`: what the memory is. `all` keeps every key as printed, its counts (pgfault, workingset_...) included. */
export function parseMemoryStat(text: string, file = 'memory.stat') {
  // read ten times a second and more, for each call: of its sixty lines only what is asked for is taken apart
  if (!FLAT_KEYED.test(text)) fail(file, text);
  const find = (key: string): number | undefined => {
    const at = text.startsWith(`${key} `) ? 0 : text.indexOf(`\n${key} `) + 1 || -1;
    if (at < 0) return undefined;
    return Number.parseInt(text.slice(at + key.length + 1, at + key.length + 21), 10);
  };
  const need = (key: string) => find(key) ?? fail(file, `no ${key}`);
  return {
    anonBytes: need('anon'),
    fileBytes: need('file'),
    /** All kernel memory: page tables, stacks, slab, vmalloc (5.18 and newer). */
    kernelBytes: find('kernel'),
    inactiveFileBytes: find('inactive_file'),
    /** Pages that came back after they had been reclaimed. */
    refaults: (find('workingset_refault_anon') ?? 0) + (find('workingset_refault_file') ?? 0),
    get all(): ReadonlyMap<string, number> {
      return parseFlatKeyed(text, file);
    },
  };
}

/** `cpu.stat`. The throttling fields exist only with the cpu controller. */
export function parseCpuStat(text: string, file = 'cpu.stat') {
  const v = parseFlatKeyed(text, file);
  return {
    usageUsec: required(v, 'usage_usec', file),
    userUsec: required(v, 'user_usec', file),
    systemUsec: required(v, 'system_usec', file),
    periods: v.get('nr_periods'),
    throttledPeriods: v.get('nr_throttled'),
    throttledUsec: v.get('throttled_usec'),
  };
}

/** `cpu.max`: at most `quotaUsec` of CPU time in every `periodUsec`. */
export function parseCpuMax(text: string, file = 'cpu.max'): { quotaUsec: Limit; periodUsec: number } {
  const [quota, period, ...more] = parseWords(text);
  if (quota === undefined || period === undefined || more.length) fail(file, text);
  return { quotaUsec: parseLimit(quota, file), periodUsec: parseCount(period, file) };
}

/** `pids.events`: how often a fork was refused because of `pids.max`. */
export function parsePidsEvents(text: string, file = 'pids.events'): { max: number } {
  return { max: required(parseFlatKeyed(text, file), 'max', file) };
}

/** `io.weight`: the default and the exceptions per device (`MAJOR:MINOR`). Zero devices on most machines. */
export function parseIoWeight(text: string, file = 'io.weight'): { default: number; devices: Map<string, number> } {
  const devices = parseFlatKeyed(text, file);
  const standard = required(devices, 'default', file);
  devices.delete('default');
  return { default: standard, devices };
}

export interface DeviceIo {
  /** `MAJOR:MINOR` */
  device: string;
  readBytes: number;
  writeBytes: number;
  reads: number;
  writes: number;
  discardBytes: number;
  discards: number;
}

/**
 * `io.stat`: one line per device. A device without numbers is left out; some kernels print such a device with no line
 * break after it, so the last device named before a `key=value` owns it. Values that are no integers (`cost.*`) are skipped.
 */
export function parseIoStat(text: string, file = 'io.stat'): DeviceIo[] {
  const found: DeviceIo[] = [];
  for (const line of text.split('\n')) {
    let device: string | undefined;
    const values = new Map<string, number>();
    for (const word of parseWords(line)) {
      if (/^\d+:\d+$/.test(word)) device = word;
      else {
        const m = /^([\w.]+)=(\S*)$/.exec(word);
        if (!m || device === undefined) fail(file, line);
        if (/^\d{1,20}$/.test(m[2]!)) values.set(m[1]!, Number(m[2]));
      }
    }
    if (device === undefined || values.size === 0) continue;
    found.push({
      device,
      readBytes: values.get('rbytes') ?? 0,
      writeBytes: values.get('wbytes') ?? 0,
      reads: values.get('rios') ?? 0,
      writes: values.get('wios') ?? 0,
      discardBytes: values.get('dbytes') ?? 0,
      discards: values.get('dios') ?? 0,
    });
  }
  return found;
}

/** Stall over the last 10, 60 and 300 s in per cent, and the total since the cgroup was made. */
export interface PressureLine {
  avg10: number;
  avg60: number;
  avg300: number;
  totalUsec: number;
}

/** `memory.pressure` and its like (Documentation/accounting/psi.rst). Old kernels print no `full` line for the CPU. */
export function parsePressure(text: string, file = 'pressure'): { some: PressureLine; full: PressureLine | undefined } {
  const lines = new Map<string, PressureLine>();
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const m = /^(some|full) avg10=(\d+\.\d+) avg60=(\d+\.\d+) avg300=(\d+\.\d+) total=(\d{1,20})$/.exec(line.trim());
    if (!m) fail(file, line);
    lines.set(m[1]!, { avg10: Number(m[2]), avg60: Number(m[3]), avg300: Number(m[4]), totalUsec: Number(m[5]) });
  }
  return { some: lines.get('some') ?? fail(file, text), full: lines.get('full') };
}

const types = ['domain', 'domain threaded', 'domain invalid', 'threaded'] as const;

/** `cgroup.type`. */
export function parseType(text: string, file = 'cgroup.type'): (typeof types)[number] {
  return types.find((t) => t === text.trim()) ?? fail(file, text);
}
