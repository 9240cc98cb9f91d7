import { statSync } from 'node:fs';
import { AcgError, type Priority } from '../../model/index.ts';
import { bpf } from './addon.ts';
import type { CgroupTarget } from './cgroup-attach.ts';
import { id, u32 } from './layout.ts';
import { loadProgram } from './load.ts';
import { MapView, PerCpuMapView, sum } from './maps.ts';
import type { LoadedProgram } from './program.ts';
import type { LoadOptions, ProgramSpec } from './spec.ts';
import {
  AcgCgroup,
  AcgEvent,
  AcgEventHeadroom,
  AcgGovernor,
  AcgGrowth,
  AcgGuard,
  AcgNeed,
  AcgProtection,
  AcgRate,
  priorities,
} from './wire.ts';

export const memorySpec: ProgramSpec = {
  name: 'memory',
  structs: [AcgCgroup, AcgEvent, AcgEventHeadroom, AcgRate, AcgGrowth, AcgGuard, AcgGovernor, AcgNeed, AcgProtection],
  essential: [],
};

const table = 'acg_memory';

/** The operations that this release's policy is written for; earlier postings had others. */
const wanted = ['memcg_charged', 'below_low', 'below_min', 'handle_cgroup_offline'];

/** Whether this kernel has memcg_bpf_ops as we know it: by the names of its members. */
export function hasMemcgOps(): boolean {
  const members = bpf().kernelType('struct', 'memcg_bpf_ops');
  return wanted.every((name) => members?.includes(name));
}

/** Throws ACG_BPF_UNSUPPORTED where the kernel lacks them. */
export function requireMemcgOps(): void {
  if (!hasMemcgOps())
    throw new AcgError('ACG_BPF_UNSUPPORTED', 'this kernel has no memcg_bpf_ops; kernel/README.md says which one has');
}

/** What a session needs protected. */
export interface MemoryNeed {
  /** Bytes of usage up to which the session can be protected; 0: never. */
  most: number;
  /** Calls that run now. A session without any is protected while it refaults. */
  running: number;
  priority: Priority;
}

/**
 * Memory policy on a kernel with memcg_bpf_ops (kernel/README.md): `new Governor(memory)` has its budgets and guard, kept by
 * delaying the charge itself; `need` protects sessions from reclaim.
 */
export class Memory implements Disposable {
  readonly program: LoadedProgram;
  readonly #needs: MapView<number, AcgNeed>;
  readonly #protection: PerCpuMapView<number, AcgProtection>;

  /**
   * Loads it and attaches it to a cgroup and all below it, or finds it pinned there. Throws ACG_BPF_UNSUPPORTED where the
   * kernel lacks memcg_bpf_ops, ACG_BPF_LOAD (EBUSY: another policy is attached there); see `loadProgram` for others.
   */
  constructor(target: CgroupTarget, options: LoadOptions = {}) {
    requireMemcgOps();
    this.program = loadProgram(memorySpec, {
      ...options,
      later: [table, ...(options.later ?? [])],
      constants: { acg_page_size: bpf().pageSize(), acg_place: statSync(target.cgroup).ino, ...options.constants },
    });
    try {
      if (!this.program.on(table)) this.program.attach(table, target);
      const map = (name: string) => ({ name, map: this.program.map(name) });
      this.#needs = new MapView({ ...map('acg_needs'), key: id, value: AcgNeed });
      this.#protection = new PerCpuMapView({ ...map('acg_protection'), key: u32, value: AcgProtection });
    } catch (error) {
      if (this.program.reopened) this.program[Symbol.dispose]();
      else this.program.unload();
      throw error;
    }
  }

  /** Sets or changes what is protected; in force when reclaim next asks. Gone with the cgroup. */
  need(session: number, { most, running, priority }: MemoryNeed): void {
    this.#needs.set(session, { most: Math.round(most), running, priority: priorities.indexOf(priority) });
  }

  /** Protects that session no more. */
  forget(session: number): void {
    this.#needs.delete(session);
  }

  /** What reclaim was told, over all CPUs. */
  protection(): AcgProtection {
    return sum(this.#protection.get(0)!);
  }

  /** Takes it out of the kernel: nothing is delayed or protected any more. */
  unload(): void {
    this.program.unload();
  }

  /** Closes our descriptors; pinned, it goes on. */
  [Symbol.dispose](): void {
    this.program[Symbol.dispose]();
  }
}
