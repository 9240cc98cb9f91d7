/** Who controls a simulated node: nobody (limits only), or control/policy exactly as the daemon drives it. */
import {
  type Action,
  callGrowth,
  commandClass,
  type Explanation,
  guardBudget,
  guardRest,
  initialState,
  isRestless,
  type PolicyEvent,
  parseHint,
  type State,
  step,
  type Usage,
} from '../../control/policy/index.ts';
import type { Config } from '../../model/index.ts';
import { carryOut } from './carry-out.ts';
import type { Control, SimCall, SimNode, SimSession } from './node.ts';
import type { Group } from './tree.ts';

/** Plain containers: every call starts at once, nothing is done about anything. `sessionMax`: memory.max of each. */
export function withoutControl(node: SimNode, sessionMax?: number): Control {
  return {
    sessionStarted(s) {
      if (sessionMax !== undefined) s.group.max = sessionMax;
    },
    sessionEnded() {},
    callAsked: (c) => node.start(c),
    callBackground() {},
    callEnded() {},
    tick() {},
  };
}

/** What happened at one step, for those who check. */
export interface Watched {
  before: State;
  event: PolicyEvent;
  state: State;
  actions: Action[];
  explanations: Explanation[];
  now: number;
}

/** A throttled call breaches its ceiling with every batch: it is told no more often than this, milliseconds. */
const BREACH_EVERY = 50;
/** While the policy is restless it is told of every look at the calls, milliseconds. */
const LOOK_EVERY = 100;
/** With a governor the kernel tells of growth, and the daemon looks about so often, milliseconds. */
const TOLD_EVERY = 50;
/** More steps than this at one moment are a loop. */
const MOST_STEPS = 10_000;

/** The policy as the daemon runs it: events in, actions carried out in order, samples on time, timers kept. */
export class PolicyControl implements Control {
  state: State;
  readonly explanations: Explanation[] = [];
  readonly #node: SimNode;
  readonly #watch: ((w: Watched) => void) | undefined;
  /** Samples are not taken while the node leaps: far from every limit nothing is decided by them. */
  readonly #coarse: boolean;
  /** The kernel's governor keeps growth budgets in the place of memory.high. */
  readonly #governed: boolean;
  /** Since when the guard has stopped growth without a break, and until when it is off after the longest such time. */
  #guardSince: number | undefined;
  #guardRests = 0;
  #wasQuiet = false;
  wakeAt: number | undefined;
  #sampleAt = 0;
  readonly #queue: PolicyEvent[] = [];
  #busy = false;
  readonly #seenHigh = new WeakMap<Group, number>();
  readonly #pidsToldAt = new WeakMap<SimCall, number>();
  readonly #toldAt = new WeakMap<SimCall, number>();
  readonly #seenPids = new WeakMap<SimCall, number>();

  constructor(
    node: SimNode,
    config: Config,
    more: { watch?: ((w: Watched) => void) | undefined; coarse?: boolean; governed?: boolean } = {},
  ) {
    this.#node = node;
    this.#watch = more.watch;
    this.#coarse = more.coarse ?? false;
    this.state = initialState(config, node.workload.capacity);
    this.#governed = more.governed ?? false;
    if (this.#governed) this.tell({ type: 'governor', inCharge: true });
  }

  /** Events that arise while actions are carried out wait their turn, as in the daemon. */
  tell(event: PolicyEvent): void {
    this.#queue.push(event);
    if (this.#busy) return;
    this.#busy = true;
    let steps = 0;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      if (++steps > MOST_STEPS) throw new Error(`the policy does not come to rest at ${this.#node.now} ms`);
      this.#step(next);
    }
    this.#busy = false;
  }

  #step(event: PolicyEvent): void {
    const { now } = this.#node;
    const before = this.state;
    const { state, actions, explanations } = step(before, event, now);
    this.state = state;
    if (!this.#coarse) for (const e of explanations) this.explanations.push(e);
    this.#watch?.({ before, event, state, actions, explanations, now });
    for (const a of actions)
      if (a.type === 'wake') this.wakeAt = a.at;
      else carryOut(this.#node, a, this.#governed);
    if (this.#governed) this.#budgets(event);
  }

  /** As the daemon's driver writes them: a call's when something was decided about it, the guard with samples. */
  #budgets(event: PolicyEvent): void {
    const { now, memory, calls } = this.#node;
    for (const c of calls) {
      if (c.state !== 'running' && c.state !== 'background') continue;
      const budget = callGrowth(this.state, c.id, now);
      const { held } = c.group;
      if (!budget) c.group.held = undefined;
      else if (held && held.soft === budget.soft) Object.assign(held, budget);
      else c.group.held = { ...budget, allowed: Math.max(c.group.usage + budget.burst, budget.soft), at: now };
    }
    if (event.type !== 'samples' || now < this.#guardRests) return;
    this.#guardSince = memory.guard?.tripped ? (this.#guardSince ?? now) : undefined;
    const guard = guardBudget(this.state, now - (this.#guardSince ?? now));
    if (!guard && this.#guardSince !== undefined) this.#guardRests = now + guardRest(this.state);
    memory.guard = guard && { ...guard, tripped: memory.guard?.tripped ?? false };
  }

  sessionStarted(s: SimSession): void {
    const { id, tenant, priority } = s.spec;
    this.tell({ type: 'session-start', session: id, tenant, ...(priority && { priority }) });
    this.tell({ type: 'samples', agents: [{ session: id, ...usage(s.agent) }] });
  }

  sessionEnded(s: SimSession): void {
    this.tell({ type: 'session-end', session: s.spec.id });
  }

  callAsked(c: SimCall): void {
    const { hint, command } = c.spec;
    this.tell({
      type: 'call-request',
      call: c.id,
      session: c.session.spec.id,
      ...(hint !== undefined && { hint: parseHint(hint).hint }),
      ...(command !== undefined && { class: commandClass(command) }),
    });
  }

  callBackground(c: SimCall): void {
    this.tell({ type: 'call-background', call: c.id });
  }

  callEnded(c: SimCall): void {
    if (c.end === 'oom') this.tell({ type: 'oom-kill', target: { call: c.id } });
    this.tell({ type: 'call-end', call: c.id });
  }

  tick(): void {
    const { now, calls, sessions } = this.#node;
    for (const c of calls) {
      if (c.state !== 'running' && c.state !== 'background') continue;
      const high = c.group.highEvents + c.group.maxEvents;
      if (high > (this.#seenHigh.get(c.group) ?? 0) && now >= (this.#toldAt.get(c) ?? 0)) {
        this.#seenHigh.set(c.group, high);
        this.#toldAt.set(c, now + BREACH_EVERY);
        this.tell({ type: 'breach', target: { call: c.id }, usage: usage(c.group) });
      }
      if (c.pidsEvents > (this.#seenPids.get(c) ?? 0) && now >= (this.#pidsToldAt.get(c) ?? 0)) {
        this.#seenPids.set(c, c.pidsEvents);
        this.#pidsToldAt.set(c, now + BREACH_EVERY);
        this.tell({ type: 'pids-breach', call: c.id });
      }
    }
    const idle = this.#coarse && this.#node.quiet && this.#wasQuiet;
    this.#wasQuiet = this.#node.quiet;
    if (now >= this.#sampleAt && !idle) {
      const { sampleEvery } = this.state.config.ladder;
      this.#sampleAt = now + (this.#governed ? TOLD_EVERY : isRestless(this.state) ? LOOK_EVERY : sampleEvery);
      const { root, swapFree } = this.#node.memory;
      this.tell({
        type: 'samples',
        node: { ...rootUsage(this.#node), swapFree },
        agents: sessions
          .filter((s) => s.started && s.endedAt === undefined)
          .map((s) => ({ session: s.spec.id, ...usage(s.agent) })),
        calls: calls
          .filter((c) => c.state === 'running' || c.state === 'background')
          .map((c) => ({ call: c.id, ...usage(c.group), pids: Math.floor(c.pids) })),
      });
      if (root.usage < 0) throw new Error('the memory model lost count');
    }
    if (this.wakeAt !== undefined && now >= this.wakeAt) {
      this.wakeAt = undefined;
      this.tell({ type: 'timer' });
    }
  }
}

function usage(g: Group): Usage {
  const p = g.pages!;
  return {
    current: g.usage,
    anon: p.anon,
    inactiveFile: p.coldFile,
    swap: p.swapped,
    refaults: Math.floor(g.refaults),
  };
}

function rootUsage(node: SimNode): Usage {
  let cold = 0;
  for (const leaf of node.leaves()) cold += leaf.pages!.coldFile;
  return { current: node.memory.root.usage, inactiveFile: cold };
}
