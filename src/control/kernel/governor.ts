import type { Priority } from '../../model/index.ts';
import { id, u32 } from './layout.ts';
import { MapView, PerCpuMapView, SettingsView } from './maps.ts';
import type { LoadedProgram } from './program.ts';
import { addCpus } from './scheduler.ts';
import { AcgGovernor, AcgGrowth, AcgGuard, AcgRate, priorities, rateFlags, releases } from './wire.ts';

/** How fast one cgroup may grow. */
export interface GrowthLimit {
  /** Bytes per second; 0: as fast as it likes (the guard can still stop it). */
  rate: number;
  /** Bytes it may grow at once after growing slower. Below one charge (256 KiB, 2 MiB with huge pages) everything is held. */
  burst: number;
  /** Bytes of usage below which it is never held. The rate of normal and low priority falls as usage exceeds it. */
  soft: number;
  priority: Priority;
  /** Whether this is a tool call: only tasks in calls are held, by the budgets of the call and of the cgroups above it. */
  call: boolean;
}

/** What the kernel did to one cgroup. */
export interface GrowthSeen {
  /** Usage up to which nobody is held now, and usage at the last charge. */
  allowedBytes: number;
  usageBytes: number;
  overs: number;
  holds: number;
  heldMs: number;
  /** Largest overrun of the budget seen at a charge. */
  overshootBytes: number;
}

/** Headroom of one cgroup that contains all of ours: when limit - usage falls below low, calls of low priority stop growing. */
export interface HeadroomGuard {
  cgroup: number;
  limit: number;
  low: number;
  /** They go on when headroom is at least this; above `low`. */
  clear: number;
}

export interface HeadroomSeen {
  headroomBytes: number;
  trips: number;
  /** CLOCK_MONOTONIC; 0: not tripped now. */
  trippedNs: number;
}

/** Counters over all CPUs. `latency` is over budget to held: bucket i is [2^i, 2^(i+1)) ns. */
export interface GovernorCounts extends Omit<AcgGovernor, 'releases'> {
  releases: Record<(typeof releases)[number], number>;
}

/**
 * Rates, bands and the headroom guard: of the memory governor, which runs inside the scheduler, or of `Memory`. Everything
 * set here stays in force when this process dies, as long as that program is pinned. Freezing or killing a held task needs nothing from us:
 * the kernel side lets it go at once.
 */
export class Governor {
  readonly #rates: MapView<number, AcgRate>;
  readonly #growth: MapView<number, AcgGrowth>;
  readonly #guard: SettingsView<AcgGuard>;
  readonly #counts: PerCpuMapView<number, AcgGovernor>;

  constructor({ program }: { program: LoadedProgram }) {
    const map = (name: string) => ({ name, map: program.map(name), key: id });
    this.#rates = new MapView({ ...map('acg_rates'), value: AcgRate });
    this.#growth = new MapView({ ...map('acg_growth'), value: AcgGrowth });
    this.#guard = new SettingsView('acg_guard', program.map('acg_guard'), AcgGuard);
    this.#counts = new PerCpuMapView({
      name: 'acg_governor',
      map: program.map('acg_governor'),
      key: u32,
      value: AcgGovernor,
    });
  }

  /** Sets or changes a cgroup's limit; in force from its next charge. */
  limit(cgroup: number, { rate, burst, soft, priority, call }: GrowthLimit): void {
    this.#rates.set(cgroup, {
      rate: Math.round(rate),
      burst: Math.round(burst),
      soft: Math.round(soft),
      priority: priorities.indexOf(priority),
      flags: call ? rateFlags.call : 0,
    });
  }

  /** Holds nobody there any more, whatever the rate; who is held goes on within 10 ms. `limit` ends this. */
  release(cgroup: number): void {
    const entry = this.#rates.get(cgroup);
    if (entry) this.#rates.set(cgroup, { ...entry, flags: entry.flags | rateFlags.released });
  }

  /** Before the cgroup is removed, or soon after: ids are reused. */
  forget(cgroup: number): void {
    this.#rates.delete(cgroup);
    this.#growth.delete(cgroup);
  }

  /** Undefined until its first charge. */
  seen(cgroup: number): GrowthSeen | undefined {
    const g = this.#growth.get(cgroup);
    return (
      g && {
        allowedBytes: g.allowed,
        usageBytes: g.usage,
        overs: g.overs,
        holds: g.holds,
        heldMs: g.heldNs / 1e6,
        overshootBytes: g.overshoot,
      }
    );
  }

  /** Cgroups with a limit, to find again after a restart what was set before. */
  limited(): number[] {
    return this.#rates.entries().map(([cgroup]) => cgroup);
  }

  /** Sets the guard, or takes it away. Its state (tripped or not) goes on when only the numbers change. */
  guard(guard: HeadroomGuard | undefined): void {
    const now = this.#guard.get();
    const none = { cgroup: 0, limit: 0, low: 0, clear: 0 };
    this.#guard.set({
      ...now,
      ...(guard ?? none),
      trippedNs: guard && guard.cgroup === now.cgroup ? now.trippedNs : 0,
    });
  }

  headroom(): HeadroomSeen {
    const { headroom, trips, trippedNs } = this.#guard.get();
    return { headroomBytes: headroom, trips, trippedNs };
  }

  counts(): GovernorCounts {
    const all = addCpus(this.#counts.get(0)!);
    const by = Object.fromEntries(releases.map((reason, i) => [reason, all.releases[i] ?? 0]));
    return { ...all, releases: by as GovernorCounts['releases'] };
  }
}
