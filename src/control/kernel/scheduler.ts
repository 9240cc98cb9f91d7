import { readFileSync } from 'node:fs';
import { AcgError } from '../../model/index.ts';
import { bpf } from './addon.ts';
import { u32 } from './layout.ts';
import { loadProgram } from './load.ts';
import { MapView, PerCpuMapView } from './maps.ts';
import type { LoadedProgram } from './program.ts';
import type { LoadOptions, ProgramSpec } from './spec.ts';
import {
  AcgEvent,
  AcgEventHeadroom,
  AcgGovernor,
  AcgGrowth,
  AcgGuard,
  AcgNode,
  AcgRate,
  AcgScheduler,
  AcgSchedulerState,
} from './wire.ts';

export const schedulerSpec: ProgramSpec = {
  name: 'scheduler',
  structs: [
    AcgEvent,
    AcgNode,
    AcgScheduler,
    AcgSchedulerState,
    AcgRate,
    AcgGrowth,
    AcgGuard,
    AcgGovernor,
    AcgEventHeadroom,
  ],
  // without the others (requeueing, charge hook, release on signals) it still schedules; `hooks` tells
  essential: [],
};

/** Who is scheduled: only tasks with policy SCHED_EXT (what the shim gives to calls), or every ordinary task of the machine. */
export type SchedulerMode = 'partial' | 'full';

/** Why no scheduler of ours is in charge. */
export interface SchedulerExit {
  /** CLOCK_MONOTONIC nanoseconds. */
  exitedNs: number;
  /** The kernel threw it out: error, or a task that waited longer than the watchdog allows. Otherwise it was taken out. */
  error: boolean;
  reason: string;
  message: string;
}

/** From this value on, enum scx_exit_kind is an error (SCX_EXIT_ERROR). */
const FIRST_ERROR = 1024;

/** Adds up the values of all CPUs; `worst...` is the largest of them. */
export function addCpus<T extends object>(values: readonly T[]): T {
  const add = (key: string, a: unknown, b: unknown): unknown => {
    if (Array.isArray(a) && Array.isArray(b)) return a.map((x: number, i) => x + (b[i] as number));
    return key.startsWith('worst') ? Math.max(a as number, b as number) : (a as number) + (b as number);
  };
  return values.reduce(
    (sum, value) =>
      Object.fromEntries(
        Object.entries(sum).map(([key, a]) => [key, add(key, a, (value as Record<string, unknown>)[key])]),
      ) as T,
  );
}

/** The state of the machine's sched_ext class: `disabled`, `enabling`, `enabled`, `disabling`; undefined where there is none. */
export function schedExtState(): { state: string; scheduler: string | undefined } | undefined {
  const read = (file: string) => {
    try {
      return readFileSync(`/sys/kernel/sched_ext/${file}`, 'utf8').trim();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  };
  const state = read('state');
  return state === undefined ? undefined : { state, scheduler: read('root/ops') };
}

/** Why the scheduler is out, by the map acg_scheduler_state; undefined while it is in charge. */
export function exitOf(map: MapView<number, AcgSchedulerState>): SchedulerExit | undefined {
  const state = map.get(0);
  if (!state) throw new AcgError('ACG_INTERNAL', 'acg_scheduler_state is an array and has no first element');
  if (state.exitedNs === 0) return undefined;
  const { exitedNs, exitKind, reason, message } = state;
  return { exitedNs, error: exitKind >= FIRST_ERROR, reason, message };
}

/** The sched_ext scheduler for agent nodes, with the memory governor in it (bpf/README.md). */
export class Scheduler implements Disposable {
  readonly program: LoadedProgram;
  readonly mode: SchedulerMode;
  readonly #table: string;
  readonly #nodes: MapView<number, AcgNode>;
  readonly #counts: PerCpuMapView<number, AcgScheduler>;
  readonly #state: MapView<number, AcgSchedulerState>;

  /**
   * Loads and attaches it, or finds it pinned. Only one sched_ext scheduler can be in charge of a machine: throws
   * ACG_BPF_LOAD (EBUSY) while another one is. See `loadProgram` for options and other errors.
   */
  constructor(mode: SchedulerMode = 'partial', options: LoadOptions = {}) {
    this.mode = mode;
    this.#table = `acg_${mode}`;
    this.program = loadProgram(schedulerSpec, {
      ...options,
      // the table of the other mode: one that is never attached could not be found again
      off: [mode === 'full' ? 'acg_partial' : 'acg_full', ...(options.off ?? [])],
      constants: {
        acg_page_size: bpf().pageSize(),
        acg_full_mode: mode === 'full' ? 1 : 0,
        ...options.constants,
      },
    });
    const map = (name: string) => ({ name, map: this.program.map(name), key: u32 });
    this.#nodes = new MapView({ ...map('acg_nodes'), value: AcgNode });
    this.#counts = new PerCpuMapView({ ...map('acg_scheduler'), value: AcgScheduler });
    this.#state = new MapView({ ...map('acg_scheduler_state'), value: AcgSchedulerState });
  }

  /** Why it is not in charge any more; undefined while it is. */
  exit(): SchedulerExit | undefined {
    return exitOf(this.#state);
  }

  /** Puts it in charge again after it was thrown out. The caller backs off: what stalled once may stall again. */
  rearm(): void {
    this.program.attach(this.#table);
  }

  /** What it did so far, over all CPUs. `wait` is the histogram wake-up to running: bucket i is [2^i, 2^(i+1)) ns. */
  counts(): AcgScheduler {
    return addCpus(this.#counts.get(0)!);
  }

  /** One cgroup each with the cpu controller: weight, limit, CPU time, by cgroup id. */
  nodes(): Map<number, AcgNode> {
    return new Map(
      this.#nodes
        .entries()
        .filter(([, node]) => node.used !== 0)
        .map(([, node]) => [node.cgroup, node]),
    );
  }

  /** Takes it, and the governor, out of the kernel: all tasks go on under the fair class. */
  unload(): void {
    this.program.unload();
  }

  /** Closes our descriptors; pinned, it goes on. */
  [Symbol.dispose](): void {
    this.program[Symbol.dispose]();
  }
}
