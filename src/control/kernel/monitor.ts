import { AcgError } from '../../model/index.ts';
import { bpf } from './addon.ts';
import { Descriptor } from './descriptor.ts';
import { EventStream, type KernelEvent } from './events.ts';
import { id, u32 } from './layout.ts';
import { loadProgram } from './load.ts';
import { MapView, PerCpuMapView, sum } from './maps.ts';
import type { LoadedProgram } from './program.ts';
import type { LoadOptions, ProgramSpec } from './spec.ts';
import {
  AcgAgent,
  AcgCgroup,
  AcgCounts,
  AcgEvent,
  AcgEventExec,
  AcgEventExit,
  AcgEventFork,
  AcgEventOom,
  AcgEventSample,
  AcgExe,
  AcgUsage,
  type Kind,
  kinds,
} from './wire.ts';

export const monitorSpec: ProgramSpec = {
  name: 'monitor',
  structs: [
    AcgCgroup,
    AcgExe,
    AcgAgent,
    AcgUsage,
    AcgCounts,
    AcgEvent,
    AcgEventFork,
    AcgEventExec,
    AcgEventExit,
    AcgEventSample,
    AcgEventOom,
  ],
  // without the tree nothing is attributed to anybody
  essential: ['cgroup_made', 'cgroup_removed', 'place_existing'],
};

/** Whose cgroup an id is: the ids of the cgroups above it, 0 where there is none. */
export interface Place {
  kind: Kind;
  tenant: number;
  session: number;
  leaf: number;
  level: number;
}

/** Memory of a call or agent leaf as the charge hooks last saw it. */
export interface Usage {
  usageBytes: number;
  peakBytes: number;
  sessionUsageBytes: number;
  growthBytesPerSecond: number;
  sampledNs: number;
  ooms: number;
  /** The process with the largest peak RSS among those that ended; its comm was in its exit event. */
  peakProcess: { pid: number; rssBytes: number } | undefined;
}

/** The BPF monitor (bpf/README.md): who does what below one root cgroup. */
export class Monitor implements Disposable {
  readonly program: LoadedProgram;
  readonly #cgroups: MapView<number, AcgCgroup>;
  readonly #usage: MapView<number, AcgUsage>;
  readonly #counts: PerCpuMapView<number, AcgCounts>;
  readonly #agents: MapView<number, { mainPid: number; zero: number }>;
  readonly #exempt: MapView<{ dev: number; ino: bigint }, number>;

  /** Loads the monitor or finds it pinned; see `loadProgram` for options and errors. */
  constructor(options: LoadOptions = {}) {
    this.program = loadProgram(monitorSpec, {
      ...options,
      constants: { acg_page_size: bpf().pageSize(), ...options.constants },
    });
    const map = (name: string) => ({ name, map: this.program.map(name) });
    this.#cgroups = new MapView({ ...map('acg_cgroups'), key: id, value: AcgCgroup });
    this.#usage = new MapView({ ...map('acg_usage'), key: id, value: AcgUsage });
    this.#counts = new PerCpuMapView({ ...map('acg_counts'), key: id, value: AcgCounts });
    this.#agents = new MapView({ ...map('acg_agents'), key: id, value: AcgAgent });
    this.#exempt = new MapView({ ...map('acg_exempt'), key: AcgExe, value: u32 });
  }

  /**
   * Makes the cgroup directory the root of what is watched, with everything that exists below it; what is made later below it
   * is known before anyone can use it. Call it again after a restart: it repairs what was missed meanwhile.
   */
  watch(rootDirectory: string): void {
    using directory = new Descriptor(bpf().openDirectory(rootDirectory));
    bpf().iterateCgroups(this.program.program('place_existing').fd, directory.fd);
  }

  /** Tells which process is the agent: what it starts in its leaf without the shim is reported as `outside`. */
  setAgent(leaf: number, mainPid: number): void {
    this.#agents.set(leaf, { mainPid, zero: 0 });
  }

  /** An executable that is no tool call when an agent starts it: the shim. */
  exempt(executable: string): void {
    const { dev, ino } = bpf().fileIdentity(executable);
    this.#exempt.set({ dev, ino: BigInt(ino) }, 1);
  }

  /** Where a cgroup stands in our tree; undefined: not ours, or gone. */
  place(cgroup: number): Place | undefined {
    const entry = this.#cgroups.get(cgroup);
    return entry && placeOf(entry);
  }

  /** All cgroups known, by id. */
  places(): Map<number, Place> {
    return new Map(this.#cgroups.entries().map(([cgroup, entry]) => [cgroup, placeOf(entry)]));
  }

  /** Undefined until the first charge, and after the cgroup is gone. */
  usage(leaf: number): Usage | undefined {
    const u = this.#usage.get(leaf);
    if (!u) return undefined;
    const pid = Number(u.peakProcess & 0xffffffffn);
    return {
      usageBytes: u.usage,
      peakBytes: u.peak,
      sessionUsageBytes: u.sessionUsage,
      growthBytesPerSecond: u.growth,
      sampledNs: u.sampledNs,
      ooms: u.ooms,
      peakProcess: pid === 0 ? undefined : { pid, rssBytes: Number(u.peakProcess >> 32n) * 1024 },
    };
  }

  /** Added up over the CPUs; undefined when nothing was counted yet, and after the cgroup is gone. Read it before rmdir. */
  counts(leaf: number): AcgCounts | undefined {
    const perCpu = this.#counts.get(leaf);
    return perCpu && sum(perCpu);
  }

  /** The events of the monitor and of the other programs that share its ring; of `wanted` types only, if given. */
  events(receive: (event: KernelEvent) => void, wanted?: ReadonlySet<KernelEvent['type']>): EventStream {
    const maps = { events: this.program.map('acg_events'), lost: this.program.map('acg_lost') };
    return new EventStream(maps, receive, wanted);
  }

  /** Takes the monitor out of the kernel. */
  unload(): void {
    this.program.unload();
  }

  /** Closes our descriptors; pinned, the monitor goes on. */
  [Symbol.dispose](): void {
    this.program[Symbol.dispose]();
  }
}

function placeOf({ kind, tenant, session, leaf, level }: AcgCgroup): Place {
  const name = kinds[kind];
  if (name === undefined) throw new AcgError('ACG_INTERNAL', `acg_cgroups has an entry of kind ${kind}`);
  return { kind: name, tenant, session, leaf, level };
}
