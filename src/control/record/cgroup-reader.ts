import { join } from 'node:path';
import type { SampleRecord } from '../../model/index.ts';
import { parseIoStat } from '../cgroup/index.ts';
import type { Directories } from './hierarchy.ts';
import { field, KeptFile } from './kept-file.ts';

/** The first line of cpu.stat, on every kernel that has it. */
const USAGE_USEC = 'usage_usec ';

/** The measured part of a sample; memory may be missing where no controller accounts it. */
export type Usage = Omit<SampleRecord, 'type' | 'session' | 'scope' | 'call' | 'cgroup' | 't' | 'memoryBytes'> & {
  memoryBytes?: number;
};

/** A change of memory that is worth a look at what kind of memory it is. */
const DETAIL_BYTES = 2 ** 20;

/** How old what costs more may be: a little under a second, so that a grid of rounds meets it every second. */
const DETAIL_MS = 950;
/** The same for a cgroup that has used no CPU time and kept its memory since. */
const IDLE_DETAIL_MS = 9_950;

/**
 * One cgroup's figures, through files kept open. Every reading has memory, CPU time and processes (memory and processes
 * from up to a second ago while the cgroup uses no CPU time, since then nobody in it allocates); what kind of memory it
 * is when it has moved by 1 MiB since, and otherwise once a second; swap, I/O and PSI once a second. While nothing moves,
 * every ten seconds are enough for those.
 */
export class CgroupReader {
  readonly directories: Directories;
  private readonly memory: KeptFile | undefined;
  private readonly cpu: KeptFile | undefined;
  private readonly pids: KeptFile | undefined;
  private readonly stat: KeptFile | undefined;
  private readonly swap: KeptFile | undefined;
  private readonly kernel: KeptFile | undefined;
  private readonly io: KeptFile | undefined;
  private readonly peak: KeptFile | undefined;
  private readonly pressure: { memory?: KeptFile; cpu?: KeptFile; io?: KeptFile } = {};
  private readonly version: { memory: 1 | 2; cpu: 1 | 2; io: 1 | 2 };
  private last: Usage = {};
  private lastAt = Number.NEGATIVE_INFINITY;
  private kindsBytes = 0;
  private restAt = Number.NEGATIVE_INFINITY;
  /** Memory and CPU time when the rest was read. */
  private restMark = '';
  private peakBytes = 0;

  constructor(d: Directories) {
    this.directories = d;
    const v2 = (file: string) => (d.v2 ? KeptFile.open(join(d.v2, file)) : undefined);
    const v1 = (controller: keyof Directories['v1'], file: string) =>
      d.v1[controller] ? KeptFile.open(join(d.v1[controller], file)) : undefined;
    const memory = v2('memory.current');
    this.memory = memory ?? v1('memory', 'memory.usage_in_bytes');
    this.stat = memory ? v2('memory.stat') : v1('memory', 'memory.stat');
    this.peak = memory ? v2('memory.peak') : v1('memory', 'memory.max_usage_in_bytes');
    this.swap = memory ? v2('memory.swap.current') : undefined;
    this.kernel = memory ? undefined : v1('memory', 'memory.kmem.usage_in_bytes');
    // the root of a v2 hierarchy has a cpu.stat as well, that of the machine
    const cpu = d.v2 ? v2('cpu.stat') : undefined;
    this.cpu = cpu ?? v1('cpuacct', 'cpuacct.usage');
    this.pids = v2('pids.current') ?? v1('pids', 'pids.current');
    const io = v2('io.stat');
    this.io = io ?? v1('blkio', 'blkio.throttle.io_service_bytes_recursive');
    this.version = { memory: memory ? 2 : 1, cpu: cpu ? 2 : 1, io: io ? 2 : 1 };
    for (const kind of ['memory', 'cpu', 'io'] as const) {
      const file = v2(`${kind}.pressure`);
      if (file) this.pressure[kind] = file;
    }
  }

  /** Does a controller account this cgroup's memory? */
  get hasMemory(): boolean {
    return this.memory !== undefined;
  }

  /** Does it account CPU time? */
  get hasCpu(): boolean {
    return this.cpu !== undefined;
  }

  /** The most memory it has held, as far as seen: the kernel's own mark where there is one. */
  get highestBytes(): number | undefined {
    return this.memory && this.peakBytes;
  }

  /** The figures at `now` (monotonic milliseconds); undefined when the cgroup is gone. */
  read(now: number): Usage | undefined {
    const usage: Usage = {};
    const cpu = this.cpu?.number(this.version.cpu === 2 ? USAGE_USEC.length : 0);
    if (cpu !== undefined) usage.cpuUsec = this.version.cpu === 2 ? cpu : Math.floor(cpu / 1000);
    // where nothing has run nothing was allocated: what was read less than a second ago still holds
    if (usage.cpuUsec === undefined || usage.cpuUsec !== this.last.cpuUsec || now - this.lastAt >= DETAIL_MS) {
      set(usage, 'memoryBytes', this.memory?.number());
      set(usage, 'pids', this.pids?.number());
      this.last = { ...usage };
      this.lastAt = now;
    } else {
      set(usage, 'memoryBytes', this.last.memoryBytes);
      set(usage, 'pids', this.last.pids);
    }
    if (this.memory?.gone || this.cpu?.gone || this.pids?.gone) return undefined;
    const bytes = usage.memoryBytes ?? 0;
    this.peakBytes = Math.max(this.peakBytes, bytes);
    const due = now - this.restAt >= DETAIL_MS && (this.moved(usage) || now - this.restAt >= IDLE_DETAIL_MS);
    if (due || Math.abs(bytes - this.kindsBytes) >= DETAIL_BYTES) {
      this.kindsBytes = bytes;
      this.addKinds(usage);
    }
    if (due) {
      this.restAt = now;
      this.restMark = `${usage.memoryBytes} ${usage.cpuUsec}`;
      this.addRest(usage);
    }
    return usage;
  }

  private moved(usage: Usage): boolean {
    return this.restMark !== `${usage.memoryBytes} ${usage.cpuUsec}`;
  }

  private addKinds(usage: Usage): void {
    const stat = this.stat?.text();
    if (stat === undefined) return;
    const two = this.version.memory === 2;
    set(usage, 'anonBytes', field(stat, two ? 'anon' : 'total_rss'));
    set(usage, 'fileBytes', field(stat, two ? 'file' : 'total_cache'));
    if (two) set(usage, 'kernelBytes', field(stat, 'kernel'));
    else set(usage, 'swapBytes', field(stat, 'total_swap'));
  }

  private addRest(usage: Usage): void {
    this.peakBytes = Math.max(this.peakBytes, this.peak?.number() ?? 0);
    set(usage, 'swapBytes', this.swap?.number() ?? usage.swapBytes);
    set(usage, 'kernelBytes', this.kernel?.number() ?? usage.kernelBytes);
    const io = this.io?.text();
    if (io !== undefined) {
      const total = this.version.io === 2 ? ioTotalV2(io) : ioTotalV1(io);
      usage.ioReadBytes = total.read;
      usage.ioWriteBytes = total.write;
    }
    for (const kind of ['memory', 'cpu', 'io'] as const) {
      const text = this.pressure[kind]?.text();
      if (text === undefined) continue;
      set(usage, `${kind}SomeUsec`, stallTotal(text, 'some'));
      set(usage, `${kind}FullUsec`, stallTotal(text, 'full'));
    }
  }

  close(): void {
    const files = [this.memory, this.cpu, this.pids, this.stat, this.swap, this.kernel, this.io, this.peak];
    for (const file of [...files, ...Object.values(this.pressure)]) file?.close();
  }
}

/** The total of one line of a pressure file, microseconds; old kernels have no `full` line for the CPU. */
function stallTotal(text: string, kind: 'some' | 'full'): number | undefined {
  const line = text.indexOf(`${kind} `);
  const at = line < 0 ? -1 : text.indexOf('total=', line);
  const value = at < 0 ? Number.NaN : Number.parseInt(text.slice(at + 6, at + 26), 10);
  return Number.isNaN(value) ? undefined : value;
}

function ioTotalV2(text: string): { read: number; write: number } {
  const devices = parseIoStat(text);
  return {
    read: devices.reduce((sum, d) => sum + d.readBytes, 0),
    write: devices.reduce((sum, d) => sum + d.writeBytes, 0),
  };
}

/** blkio.throttle.io_service_bytes: lines `MAJOR:MINOR Read N`, `... Write N`, and totals. */
export function ioTotalV1(text: string): { read: number; write: number } {
  const total = { read: 0, write: 0 };
  for (const m of text.matchAll(/^\d+:\d+ (Read|Write) (\d+)$/gm))
    total[m[1] === 'Read' ? 'read' : 'write'] += Number(m[2]);
  return total;
}

function set<K extends keyof Usage>(usage: Usage, key: K, value: Usage[K] | undefined): void {
  if (value !== undefined) usage[key] = value;
}
