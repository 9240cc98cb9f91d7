import { formatDuration, formatSize } from '../../../model/index.ts';
import type { Governor } from '../../kernel/index.ts';
import type { GrowthBudget, GuardBudget } from '../../policy/index.ts';

/** What is asked of the governor. */
type Keeper = Pick<Governor, 'limit' | 'forget' | 'seen' | 'guard' | 'limited'>;
type Report = (error: unknown, doing: string) => void;

interface Held {
  holds: number;
  heldMs: number;
}

interface Entry {
  /** Cgroup id. */
  cgroup: number;
  budget: GrowthBudget | undefined;
  /** What the governor did under earlier budgets: its own account starts afresh with each. */
  carried: Held;
  /** As it stood when the last throttle began. */
  mark: Held;
}

/** The guard is moved when its limit differs by this much, bytes: page cache comes and goes all the time. */
const GUARD_STEP = 2 ** 20;

/**
 * Growth budgets in the governor's maps, by target, and what it did to each. Without a governor every method does nothing: the
 * same words then go into cgroup files.
 */
export class Growth {
  #governor: Keeper | undefined;
  #name = 'governor';
  #growthOf: (cgroup: number) => number | undefined = () => undefined;
  readonly #entries = new Map<string, Entry>();
  #guard: GuardBudget | undefined;
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  /** Is a governor in charge? */
  get on(): boolean {
    return this.#governor !== undefined;
  }

  /**
   * From now on this governor keeps what is set here, which starts empty; without one nobody does. `growthOf` gives the growth
   * of a cgroup as the monitor measured it, bytes per second; `name` is what explanations call the governor.
   */
  use(
    governor: Keeper | undefined,
    growthOf: (cgroup: number) => number | undefined = () => undefined,
    name = 'governor',
  ): void {
    for (const entry of this.#entries.values()) {
      entry.carried = this.#held(entry);
      entry.budget = undefined;
    }
    this.#governor = governor;
    this.#growthOf = growthOf;
    this.#name = name;
    this.#guard = undefined;
  }

  /** Sets, changes or (without a budget) lifts what a target may grow by. In force from its next charge. `idOf`: its cgroup id, asked for once. */
  set(key: string, idOf: () => number, budget: GrowthBudget | undefined, call: boolean): void {
    const governor = this.#governor;
    if (!governor) return;
    const known = this.#entries.get(key);
    if (known && same(known.budget, budget)) return;
    this.#try('set a growth budget', () => {
      const entry = known ?? this.#enter(idOf(), governor);
      // a line that usage has left far behind would hold it until it has caught up: it starts afresh, but not for another pace of the
      // same throttle, where each would be a burst more
      if (!budget || budget.soft > 0 || known?.budget?.soft !== 0) {
        if (known) entry.carried = this.#held(entry);
        governor.forget(entry.cgroup);
      }
      if (budget) governor.limit(entry.cgroup, { ...budget, call });
      entry.budget = budget;
      this.#entries.set(key, entry);
    });
  }

  /** A new target, with what an earlier daemon's budget did to it. */
  #enter(cgroup: number, governor: Keeper): Entry {
    const { holds, heldMs } = governor.seen(cgroup) ?? { holds: 0, heldMs: 0 };
    return { cgroup, budget: undefined, carried: { holds, heldMs }, mark: { holds, heldMs } };
  }

  /** The node's guard; undefined: nobody is stopped. */
  guard(budget: GuardBudget | undefined, idOf: () => number): void {
    if (!this.#governor) return;
    const now = this.#guard;
    if (budget && now && budget.low === now.low && Math.abs(budget.limit - now.limit) < GUARD_STEP) return;
    if (!budget && !now) return;
    this.#try('set the headroom guard', () => {
      this.#governor?.guard(budget && { ...budget, cgroup: idOf() });
      this.#guard = budget;
    });
  }

  get guardBudget(): GuardBudget | undefined {
    return this.#guard;
  }

  /** The target is going: ids are used again. Its account ends with it. */
  forget(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#try('forget a growth budget', () => this.#governor?.forget(entry.cgroup));
  }

  /** What an earlier daemon left in the maps for cgroups that are no targets of ours any more. Returns how many. */
  sweep(): number {
    const governor = this.#governor;
    if (!governor) return 0;
    const ours = new Set([...this.#entries.values()].map(({ cgroup }) => cgroup));
    const stale = governor.limited().filter((cgroup) => !ours.has(cgroup));
    for (const cgroup of stale) governor.forget(cgroup);
    return stale.length;
  }

  /** Time the governor has held the target's tasks, added up, and how often; undefined for who never had a budget. */
  held(key: string): Held | undefined {
    const entry = this.#entries.get(key);
    return entry && this.#held(entry);
  }

  #held({ cgroup, budget, carried }: Entry): Held {
    const seen = budget && this.#governor?.seen(cgroup);
    return seen ? { holds: carried.holds + seen.holds, heldMs: carried.heldMs + seen.heldMs } : carried;
  }

  /** What the kernel measured of a target, for the explanation of a decision about it; empty when there is nothing to say. */
  words(key: string, decision: string, pace?: number): string {
    const entry = this.#entries.get(key);
    if (!entry || !this.on) return '';
    const held = this.#held(entry);
    if (decision === 'throttle') {
      entry.mark = held;
      const grew = this.#growthOf(entry.cgroup);
      const was = grew === undefined || grew <= 0 ? '' : `grew ${formatSize(grew)}/s, `;
      return pace === undefined ? '' : `${this.#name}: ${was}held at ${formatSize(pace)}/s`;
    }
    if (decision === 'guard') {
      entry.mark = held;
      return '';
    }
    const holds = held.holds - entry.mark.holds;
    return holds > 0 ? `${this.#name}: ${holds} holds, ${formatDuration(held.heldMs - entry.mark.heldMs)}` : '';
  }

  #try(doing: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#report(error, doing);
    }
  }
}

const same = (a: GrowthBudget | undefined, b: GrowthBudget | undefined) =>
  a === b ||
  (a !== undefined &&
    b !== undefined &&
    a.rate === b.rate &&
    a.burst === b.burst &&
    a.soft === b.soft &&
    a.priority === b.priority);
