import { existsSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { AcgError } from '../../model/index.ts';
import { type BpfObject, bpf, isBpfFailure } from './addon.ts';
import { attachToCgroup, type CgroupTarget } from './cgroup-attach.ts';
import { Descriptor } from './descriptor.ts';
import { pin, pinName, removePins } from './pins.ts';
import type { Hook } from './spec.ts';
import { verdict } from './verdict.ts';

/** What loading or reopening found. */
export interface Parts {
  name: string;
  reopened: boolean;
  hooks: Hook[];
  maps: Map<string, Descriptor>;
  programs: Map<string, Descriptor>;
  links: Map<string, Descriptor>;
  /** Where all of it is pinned. */
  directory?: string | undefined;
  /** Handed over with the struct_ops maps it has not attached yet. */
  object?: BpfObject;
  unprepared?: readonly string[];
}

/** A program in the kernel: its hooks, its maps. Closing it leaves what is pinned in force; `unload` ends it. */
export class LoadedProgram implements Disposable {
  readonly name: string;
  /** True: another process loaded it, this one found the pins. */
  readonly reopened: boolean;
  readonly hooks: Hook[];
  readonly #maps: Map<string, Descriptor>;
  readonly #programs: Map<string, Descriptor>;
  readonly #links: Map<string, Descriptor>;
  readonly #directory: string | undefined;
  /** Kept while a struct_ops map waits for its first attachment: libbpf fills it in then. */
  readonly #object: BpfObject | undefined;
  readonly #unprepared: Set<string>;

  constructor(parts: Parts) {
    this.name = parts.name;
    this.reopened = parts.reopened;
    this.hooks = parts.hooks;
    this.#maps = parts.maps;
    this.#programs = parts.programs;
    this.#links = parts.links;
    this.#directory = parts.directory;
    this.#object = parts.object;
    this.#unprepared = new Set(parts.unprepared);
  }

  /** Whether a hook is attached. */
  on(hook: string): boolean {
    return this.#links.has(hook);
  }

  /** Whether its pins are where it put them. False: somebody has taken them away, and it ends with this process. */
  get pinned(): boolean {
    return this.#directory !== undefined && existsSync(this.#directory);
  }

  /** The map's descriptor; it stays this object's. */
  map(name: string): Descriptor {
    const found = this.#maps.get(pinName(name));
    if (!found) throw new AcgError('ACG_INTERNAL', `${this.name} has no map ${name}`);
    return found;
  }

  /** A program's descriptor, for those that are run rather than attached (iterators, syscall programs). */
  program(name: string): Descriptor {
    const found = this.#programs.get(name);
    if (!found) throw new AcgError('ACG_INTERNAL', `${this.name} has no loaded program ${name}`);
    return found;
  }

  /**
   * Runs that the kernel left out, by program, where there were any: it does not enter a program that is running on the same CPU
   * already (one task preempted in it, the next arriving). Such an event is in no counter of the program itself.
   */
  misses(): Record<string, number> {
    const counts = [...this.#programs].map(([name, { fd }]) => [name, bpf().programInfo(fd).misses] as const);
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  }

  /**
   * Attaches a struct_ops map: one loaded with `later`, detached before, or ejected by the kernel (a scheduler that stalled).
   * `target` for one that belongs to a cgroup. Throws ACG_BPF_LOAD with errno's name: EBUSY when another one is there.
   */
  attach(map: string, target?: CgroupTarget): void {
    this.detach(map);
    try {
      const link = new Descriptor(this.#link(map, target));
      this.#links.set(map, link);
      if (this.#directory) pin(link, join(this.#directory, 'links', pinName(map)));
    } catch (cause) {
      throw loadError(`${this.name}: ${map}`, cause);
    }
    const hook = this.hooks.find((h) => h.name === map);
    if (hook) Object.assign(hook, { on: true, why: undefined });
  }

  #link(map: string, target: CgroupTarget | undefined): number {
    const first = this.#unprepared.delete(map) ? this.#object : undefined;
    if (target) {
      first?.fillStructOps(map);
      return attachToCgroup(this.map(map), target);
    }
    return first ? first.attachStructOps(map) : bpf().linkStructOps(this.map(map).fd);
  }

  /** Detaches one hook, its pin included; the rest stays. */
  detach(hook: string): void {
    const link = this.#links.get(hook);
    if (!link) return;
    this.#links.delete(hook);
    const path = this.#directory && join(this.#directory, 'links', pinName(hook));
    if (path && existsSync(path)) unlinkSync(path);
    link.close();
    const entry = this.hooks.find((h) => h.name === hook);
    if (entry) Object.assign(entry, { on: false, why: 'detached' });
  }

  /** Detaches everything and removes the pins. Shared maps stay: others use them. */
  unload(): void {
    if (this.#directory) removePins(this.#directory);
    this[Symbol.dispose]();
  }

  /** Closes our descriptors. What is pinned goes on. */
  [Symbol.dispose](): void {
    this.#object?.close();
    for (const set of [this.#links, this.#programs, this.#maps]) {
      for (const descriptor of set.values()) descriptor.close();
      set.clear();
    }
  }
}

/** What a failed load or attachment is for the user. */
export function loadError(what: string, cause: unknown): AcgError {
  if (cause instanceof AcgError) return cause;
  if (!isBpfFailure(cause)) return new AcgError('ACG_INTERNAL', `${what}: ${String(cause)}`, { cause });
  return new AcgError('ACG_BPF_LOAD', `${what}: ${verdict(cause)}`, { cause });
}
