import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AcgError } from '../../model/index.ts';
import { bpf, isBpfFailure } from './addon.ts';
import type { Descriptor } from './descriptor.ts';
import { epochMs, lostCounts, lostView } from './events.ts';
import { u32 } from './layout.ts';
import { MapView } from './maps.ts';
import { defaultPinRoot, openPin, removeAllPins, sharedDirectory } from './pins.ts';
import { missingPrivilege } from './privilege.ts';
import { exitOf, type SchedulerMode } from './scheduler.ts';
import { AcgSchedulerState } from './wire.ts';

/** enum bpf_map_type, those that our programs use. */
const mapTypes: Record<number, string> = {
  1: 'hash',
  2: 'array',
  5: 'per-CPU hash',
  6: 'per-CPU array',
  9: 'LRU hash',
  26: 'struct_ops',
  27: 'ring buffer',
  29: 'task storage',
  32: 'cgroup storage',
};

/** BPF_PROG_TYPE_STRUCT_OPS */
const PROG_TYPE_STRUCT_OPS = 27;

export interface PinnedProgram {
  name: string;
  id: number;
  /** Still attached through a pinned link (or called by one: members of struct_ops). */
  attached: boolean;
  /** Counted while run statistics are on; otherwise 0. */
  runs: number;
  runNs: number;
  /** Runs the kernel left out because the program was already running on that CPU. */
  misses: number;
}

export interface PinnedMap {
  name: string;
  id: number;
  type: string;
  maxEntries: number;
  keyBytes: number;
  valueBytes: number;
}

export interface BpfStatus {
  pinRoot: string;
  /** Whether the kernel is counting runs (`sysctl kernel.bpf_stats_enabled=1`). */
  runStatistics: boolean;
  /** One for each program file loaded: monitor, scheduler, memory. */
  loaded: { name: string; version: string; programs: PinnedProgram[]; maps: PinnedMap[]; links: string[] }[];
  /** Maps that all of them share. */
  shared: PinnedMap[];
  /** Events that found the ring full, by type. */
  lost: Record<string, number>;
  /** The scheduler that is pinned, and why it is out; `t`: epoch milliseconds. */
  scheduler?: { mode: SchedulerMode; exit?: { t: number; error: boolean; reason: string; message: string } };
}

/** Everything of one kind pinned in a directory, opened for as long as `look` runs. */
function pinned<T>(directory: string, look: (name: string, pin: Descriptor) => T): T[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .sort()
    .flatMap((name) => {
      using pin = openPin(join(directory, name));
      return pin ? [look(name, pin)] : [];
    });
}

function mapOf(name: string, pin: Descriptor): PinnedMap {
  const { id, type, maxEntries, keySize, valueSize } = bpf().mapInfo(pin.fd);
  return { name, id, type: mapTypes[type] ?? `type ${type}`, maxEntries, keyBytes: keySize, valueBytes: valueSize };
}

function lostEvents(directory: string): Record<string, number> {
  using map = openPin(join(directory, 'acg_lost'));
  return map ? lostCounts(lostView(map)) : {};
}

/** Out of its pins alone: whoever asks need not be able to load it. */
function schedulerState(directory: string): BpfStatus['scheduler'] {
  using map = openPin(join(directory, 'maps', 'acg_scheduler_state'));
  if (!map) return undefined;
  const mode = existsSync(join(directory, 'maps', 'acg_full')) ? 'full' : 'partial';
  const exit = exitOf(new MapView({ name: 'acg_scheduler_state', map, key: u32, value: AcgSchedulerState }));
  if (!exit) return { mode };
  const { exitedNs, error, reason, message } = exit;
  return { mode, exit: { t: epochMs(exitedNs), error, reason, message } };
}

/** What of ours is pinned in the kernel. Throws ACG_BPF_UNSUPPORTED (no privilege), ACG_BPF_PIN, ACG_NATIVE_MISSING. */
export function bpfStatus(pinRoot = defaultPinRoot): BpfStatus {
  const missing = missingPrivilege();
  if (missing) throw new AcgError('ACG_BPF_UNSUPPORTED', missing);
  const setting = '/proc/sys/kernel/bpf_stats_enabled';
  const versions = existsSync(pinRoot) ? readdirSync(pinRoot).sort() : [];
  const loaded = versions.flatMap((version) => {
    const name = /^([a-z_]+)-([0-9a-f]{12})$/.exec(version);
    if (!name) return [];
    const directory = join(pinRoot, version);
    const links = pinned(join(directory, 'links'), (hook, pin) => ({ hook, ...bpf().linkInfo(pin.fd) }));
    const direct = new Set(links.map((link) => link.programId));
    const structOps = links.some((link) => link.programId === 0);
    const programs = pinned(join(directory, 'programs'), (program, pin) => {
      const { id, type, runs, runNs, misses } = bpf().programInfo(pin.fd);
      const attached = direct.has(id) || (structOps && type === PROG_TYPE_STRUCT_OPS);
      return { name: program, id, attached, runs, runNs, misses };
    });
    const maps = pinned(join(directory, 'maps'), mapOf);
    return [{ name: name[1]!, version: name[2]!, programs, maps, links: links.map((link) => link.hook) }];
  });
  const [pinnedScheduler] = versions.filter((version) => /^scheduler-[0-9a-f]{12}$/.test(version));
  const scheduler = pinnedScheduler && schedulerState(join(pinRoot, pinnedScheduler));
  return {
    pinRoot,
    runStatistics: existsSync(setting) && readFileSync(setting, 'utf8').trim() === '1',
    loaded,
    shared: pinned(join(pinRoot, sharedDirectory), mapOf),
    lost: lostEvents(join(pinRoot, sharedDirectory)),
    ...(scheduler && { scheduler }),
  };
}

/**
 * Takes everything of ours out of the kernel: links, programs, maps, and the directory if nothing else is in it. What a running process holds open stays
 * until it lets go (a daemon that finds its pins gone does so within a second) or ends; `held` counts the programs that did.
 */
export async function unloadAll(pinRoot = defaultPinRoot): Promise<{ removed: BpfStatus; held: number }> {
  const removed = bpfStatus(pinRoot);
  removeAllPins(pinRoot);
  const ids = removed.loaded.flatMap((l) => l.programs.map((p) => p.id));
  // the kernel frees a program after a grace period
  let held = ids.filter(isLoaded).length;
  for (let tries = 0; held > 0 && tries < 60; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    held = ids.filter(isLoaded).length;
  }
  return { removed, held };
}

function isLoaded(id: number): boolean {
  try {
    bpf().close(bpf().openProgram(id));
    return true;
  } catch (error) {
    if (isBpfFailure(error) && error.code === 'ENOENT') return false;
    throw error;
  }
}
