/** Processes as /proc shows them: who they are, whose child, what they use. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Usage } from './cgroup-reader.ts';
import { field, KeptFile } from './kept-file.ts';

/** The unit of CPU times and start times in /proc: USER_HZ, 100 on every architecture Node runs on. */
const TICKS_PER_SECOND = 100;
const TICK_USEC = 1e6 / TICKS_PER_SECOND;
const PAGE_BYTES = 4096;

/** A change of the resident set that is worth weighing the shares again (a walk over all mappings: about 1 ms per 100 MB). */
const WEIGH_BYTES = 8 * 2 ** 20;
const WEIGH_MS = 2000;

export interface ProcessStat {
  comm: string;
  state: string;
  ppid: number;
  /** The session it is in; its own pid when it leads one (setsid). */
  sessionId: number;
  /** CPU time, that of children which were waited for included. */
  userUsec: number;
  systemUsec: number;
  threads: number;
  startTicks: number;
  rssBytes: number;
}

/** The text of /proc/PID/stat (proc(5)); comm may hold anything, parentheses included. Undefined for another form. */
export function parseStat(text: string): ProcessStat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return undefined;
  const rest = text.slice(close + 2).split(' ');
  const n = (index: number) => Number(rest[index]);
  const stat = {
    comm: text.slice(open + 1, close),
    state: rest[0] ?? '',
    ppid: n(1),
    sessionId: n(3),
    userUsec: (n(11) + n(13)) * TICK_USEC,
    systemUsec: (n(12) + n(14)) * TICK_USEC,
    threads: n(17),
    startTicks: n(19),
    rssBytes: n(21) * PAGE_BYTES,
  };
  return Object.values(stat).some((v) => Number.isNaN(v)) ? undefined : stat;
}

/** One process, followed through files kept open: they never turn into those of a later process of the same pid. */
export class Process {
  readonly pid: number;
  stat: ProcessStat;
  private readonly file: KeptFile;
  private weighedAt = Number.NEGATIVE_INFINITY;
  private weighedRss = 0;
  private share = { memory: 0, anon: 0, file: 0, swap: 0 };
  private mainChildren: KeptFile | undefined;

  private constructor(pid: number, file: KeptFile, stat: ProcessStat) {
    this.pid = pid;
    this.file = file;
    this.stat = stat;
  }

  /** Undefined when there is no such process. */
  static open(pid: number): Process | undefined {
    const file = KeptFile.open(`/proc/${pid}/stat`);
    const text = file?.text();
    const stat = text === undefined ? undefined : parseStat(text);
    if (!file || !stat) {
      file?.close();
      return undefined;
    }
    return new Process(pid, file, stat);
  }

  /** Reads it again; false when it has ended (a zombie has). */
  refresh(): boolean {
    const text = this.file.text();
    const stat = text === undefined ? undefined : parseStat(text);
    if (!stat) return false;
    this.stat = stat;
    return stat.state !== 'Z' && stat.state !== 'X';
  }

  /**
   * Its memory: the proportional set size (a page shared by n processes counts 1/n in each), so that a sum over processes
   * counts every page once. Weighing is dear, so between weighings the change of the resident set is added.
   */
  memory(now: number): { memory: number; anon: number; file: number; swap: number } {
    const moved = this.stat.rssBytes - this.weighedRss;
    if (now - this.weighedAt >= WEIGH_MS || Math.abs(moved) > Math.max(WEIGH_BYTES, this.weighedRss / 4)) {
      this.weighedAt = now;
      this.weighedRss = this.stat.rssBytes;
      this.share = weigh(this.pid) ?? { memory: this.stat.rssBytes, anon: this.stat.rssBytes, file: 0, swap: 0 };
      return this.share;
    }
    return {
      ...this.share,
      memory: Math.max(0, this.share.memory + moved),
      anon: Math.max(0, this.share.anon + moved),
    };
  }

  /** Pids of its children; of every thread, since a child belongs to the thread that made it. */
  children(): number[] {
    if (this.stat.threads === 1) {
      this.mainChildren ??= KeptFile.open(`/proc/${this.pid}/task/${this.pid}/children`);
      return numbers(this.mainChildren?.text() ?? '');
    }
    try {
      return readdirSync(`/proc/${this.pid}/task`).flatMap((tid) => {
        try {
          return numbers(readFileSync(`/proc/${this.pid}/task/${tid}/children`, 'latin1'));
        } catch {
          return []; // the thread has ended
        }
      });
    } catch {
      return []; // the process has ended
    }
  }

  /** Its arguments now (exec changes them); empty for a zombie. */
  argv(): string[] {
    try {
      return readFileSync(`/proc/${this.pid}/cmdline`, 'utf8').replace(/\0$/, '').split('\0');
    } catch {
      return [];
    }
  }

  close(): void {
    this.file.close();
    this.mainChildren?.close();
  }
}

function numbers(text: string): number[] {
  return text
    .split(' ')
    .map(Number)
    .filter((n) => n > 0);
}

function weigh(pid: number): { memory: number; anon: number; file: number; swap: number } | undefined {
  const file = KeptFile.open(`/proc/${pid}/smaps_rollup`);
  const text = file?.text();
  file?.close();
  return text === undefined ? undefined : parseSmapsRollup(text);
}

/** The text of /proc/PID/smaps_rollup, bytes. Shared memory counts as file. */
export function parseSmapsRollup(text: string): { memory: number; anon: number; file: number; swap: number } {
  const lines = text.replaceAll(':', '');
  const bytes = (key: string) => (field(lines, key) ?? 0) * 1024;
  const memory = bytes('Pss');
  const anon = bytes('Pss_Anon');
  return { memory, anon, file: memory - anon, swap: bytes('SwapPss') };
}

/** CPU time and number of threads of a set of processes, children they have waited for included. */
export function timesOf(processes: Iterable<Process>): { cpuUsec: number; pids: number } {
  const sum = { cpuUsec: 0, pids: 0 };
  for (const { stat } of processes) {
    sum.cpuUsec += stat.userUsec + stat.systemUsec;
    sum.pids += stat.threads;
  }
  return sum;
}

/** What a set of processes uses together: `timesOf`, and every page of memory counted once. */
export function usageOf(processes: Iterable<Process>, now: number): Usage & { memoryBytes: number; cpuUsec: number } {
  const all = [...processes];
  const sum = { memoryBytes: 0, anonBytes: 0, fileBytes: 0, swapBytes: 0, ...timesOf(all) };
  for (const p of all) {
    const m = p.memory(now);
    sum.memoryBytes += m.memory;
    sum.anonBytes += m.anon;
    sum.fileBytes += m.file;
    sum.swapBytes += m.swap;
  }
  return sum;
}

/**
 * A set of processes that is looked at again and again. It grows from `roots`, asked at every look, and, when it follows
 * children, from what its members start. A child that outlives its parent stays once it has been seen; one that was made
 * and orphaned between two looks is missed.
 */
export class ProcessSet {
  readonly members = new Map<number, Process>();
  private readonly roots: () => number[];
  private readonly follow: boolean;

  constructor(roots: () => number[], follow: boolean) {
    this.roots = roots;
    this.follow = follow;
  }

  /** Looks again and says who has ended since. */
  refresh(): Process[] {
    const ended: Process[] = [];
    const waiting = this.roots();
    const belongs = this.follow ? undefined : new Set(waiting);
    for (const [pid, p] of this.members) {
      if (p.refresh() && (!belongs || belongs.has(pid))) {
        if (this.follow) waiting.push(...p.children());
        continue;
      }
      ended.push(p);
      p.close();
      this.members.delete(pid);
    }
    for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
      if (this.members.has(pid)) continue;
      const p = Process.open(pid);
      if (!p || p.stat.state === 'Z') {
        p?.close();
        continue;
      }
      this.members.set(pid, p);
      if (this.follow) waiting.push(...p.children());
    }
    return ended;
  }

  close(): void {
    for (const p of this.members.values()) p.close();
    this.members.clear();
  }
}

/** Milliseconds since the epoch at which a process started, to a hundredth of a second. */
export function startOf(p: Process, now = Date.now()): number {
  const uptimeMs = Number.parseFloat(readFileSync('/proc/uptime', 'latin1')) * 1000;
  return Math.round(now - uptimeMs + (p.stat.startTicks * 1000) / TICKS_PER_SECOND);
}
