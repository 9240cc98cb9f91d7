import { constants } from 'node:os';
import { AcgEventExec, AcgEventExit, AcgEventFork, AcgEventHeadroom, AcgEventOom, AcgEventSample } from './wire.ts';

/** What the events say beyond their head, in JavaScript's terms. Sizes are bytes, times nanoseconds. */
export type Decoded = ForkEvent | ExecEvent | OutsideEvent | ExitEvent | SampleEvent | OomEvent | HeadroomEvent;

export interface ForkEvent {
  type: 'fork';
  child: number;
  comm: string;
}

interface Exec {
  ppid: number;
  comm: string;
  /** The arguments as the process sees them; cut at 1 KiB. */
  argv: string[];
  /** Bytes of the arguments before cutting, each with its NUL. */
  argvBytes: number;
  exe: { dev: number; ino: bigint };
}

export interface ExecEvent extends Exec {
  type: 'exec';
}

/** An exec by the agent itself, not through our shim: a candidate for adoption. */
export interface OutsideEvent extends Exec {
  type: 'outside';
}

export interface ExitEvent {
  type: 'exit';
  comm: string;
  exitCode: number | null;
  signal: string | null;
  coreDumped: boolean;
  /** The OOM killer had chosen it. */
  oomKilled: boolean;
  startNs: number;
  /** Highest resident set of its last program image, within a few pages per CPU. */
  peakRssBytes: number;
  userNs: number;
  systemNs: number;
  /** CPU stall: time its last thread was runnable but had no CPU. */
  runDelayNs: number;
}

export interface SampleEvent {
  type: 'sample';
  usageBytes: number;
  sessionUsageBytes: number;
  /** Since the sample before, which was `sinceNs` ago; both 0 in the first. */
  growthBytesPerSecond: number;
  sinceNs: number;
}

export interface OomEvent {
  type: 'oom';
  comm: string;
  /** What the victim had in memory when it was chosen. */
  anonBytes: number;
  fileBytes: number;
  shmemBytes: number;
  swapBytes: number;
}

/** The governor's guard: headroom fell below the low-water mark (calls of low priority have stopped growing), or is back. */
export interface HeadroomEvent {
  type: 'headroom';
  cgroup: number;
  usageBytes: number;
  limitBytes: number;
  tripped: boolean;
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** Splits NUL-separated arguments; the last may have been cut. */
function argvOf(args: Uint8Array, length: number): string[] {
  const text = Buffer.from(args.subarray(0, length)).toString('utf8');
  return (text.endsWith('\0') ? text.slice(0, -1) : text)
    .split('\0')
    .filter((_, i, all) => all.length > 1 || text !== '' || i > 0);
}

function execOf(record: Uint8Array): Exec {
  const { ppid, comm, args, argsLen, argsTotal, exe } = AcgEventExec.decode(record);
  return { ppid, comm, argv: argvOf(args, argsLen), argvBytes: argsTotal, exe };
}

type Decoder = ((record: Uint8Array) => Decoded) & { type?: Decoded['type'] };

const table: [number, Decoded['type'], (record: Uint8Array) => Decoded][] = [
  [
    1,
    'fork',
    (record) => {
      const { child, comm } = AcgEventFork.decode(record);
      return { type: 'fork', child, comm };
    },
  ],
  [2, 'exec', (record) => ({ type: 'exec', ...execOf(record) })],
  [
    3,
    'exit',
    (record) => {
      const e = AcgEventExit.decode(record);
      const signal = e.status & 0x7f;
      return {
        type: 'exit',
        comm: e.comm,
        exitCode: signal ? null : (e.status >> 8) & 0xff,
        signal: signal ? (signalNames.get(signal) ?? `SIG${signal}`) : null,
        coreDumped: (e.status & 0x80) !== 0,
        oomKilled: e.oom !== 0,
        startNs: e.startNs,
        peakRssBytes: e.peakRss,
        userNs: e.userNs,
        systemNs: e.systemNs,
        runDelayNs: e.runDelayNs,
      };
    },
  ],
  [4, 'outside', (record) => ({ type: 'outside', ...execOf(record) })],
  [
    5,
    'sample',
    (record) => {
      const { usage, sessionUsage, growth, sinceNs } = AcgEventSample.decode(record);
      return {
        type: 'sample',
        usageBytes: usage,
        sessionUsageBytes: sessionUsage,
        growthBytesPerSecond: growth,
        sinceNs,
      };
    },
  ],
  [
    6,
    'oom',
    (record) => {
      const { anon, file, shmem, swap, comm } = AcgEventOom.decode(record);
      return { type: 'oom', comm, anonBytes: anon, fileBytes: file, shmemBytes: shmem, swapBytes: swap };
    },
  ],
  [
    16,
    'headroom',
    (record) => {
      const { cgroup, usage, limit, tripped } = AcgEventHeadroom.decode(record);
      return { type: 'headroom', cgroup, usageBytes: usage, limitBytes: limit, tripped: tripped !== 0 };
    },
  ],
];

/** By enum acg_event_type. */
export const decoders: Readonly<Record<number, Decoder>> = Object.fromEntries(
  table.map(([number, type, decode]) => [number, Object.assign(decode, { type })]),
);
