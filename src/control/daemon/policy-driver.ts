import type { Config } from '../../model/index.ts';
import { type Cgroup, CgroupFileError, type Limit } from '../cgroup/index.ts';
import {
  type Action,
  callGrowth,
  type Explanation,
  guardBudget,
  guardRest,
  initialState,
  KILL_MARGIN,
  type KillReason,
  type Call as PolicyCall,
  type PolicyEvent,
  pausesOf,
  type State,
  sessionGrowth,
  step,
  type Target,
  tenantGrowth,
} from '../policy/index.ts';
import { Growth } from './kernel-tier/growth.ts';
import { Reclaims } from './reclaims.ts';

/** What the policy's actions do to the world; the engine provides it. */
export interface Hands {
  /** The tree's root, which the guard of the node watches. */
  root: Cgroup;
  /** The cgroup of a target; undefined when it is gone. */
  cgroupOf(target: Target): Cgroup | undefined;
  admit(call: string): void;
  refuse(call: string, text: string): void;
  kill(call: string, reason: KillReason): void;
  explain(explanation: Explanation): void;
  /** An explicit cpu.weight of a session, which the policy's own does not replace. */
  cpuWeightOf(target: Target): number | undefined;
}

/** A guard that trips and clears all the time is said once in so long. */
const GUARD_SAID_MS = 1000;

/** Drives the pure policy: feeds it events on one monotonic clock and carries out what it decides. */
export class PolicyDriver {
  #state: State;
  readonly #hands: Hands;
  readonly #controllers: ReadonlySet<string>;
  readonly #report: (error: unknown, doing: string) => void;
  readonly #queue: PolicyEvent[] = [];
  #stepping = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #reclaims: Reclaims;
  /** Hard ceilings of tenants, sessions and agents that use more than that: written once they do not, by path. Of calls the policy asks again. */
  readonly #late = new Map<string, Extract<Action, { type: 'bands' }>>();
  /** Budgets in the kernel's governor, where one is in charge: then they take the place of memory.high for calls. */
  readonly growth: Growth;
  /** Since when the guard has stopped growth without a break; and until when it is off after the longest such time. */
  #guardSince: number | undefined;
  #guardRests = 0;
  /** By call: what was last said of the guard. */
  readonly #guarded = new Map<string, { tripped: boolean; at: number }>();
  /** By call, throttled by cgroup files: milliseconds so far, and what the policy's own count was when the governor left. */
  readonly #throttledByFiles = new Map<string, { ms: number; from: number }>();

  constructor(
    config: Config,
    capacityBytes: number,
    controllers: ReadonlySet<string>,
    hands: Hands,
    report: (error: unknown, doing: string) => void,
  ) {
    this.#state = initialState(config, capacityBytes);
    this.#controllers = controllers;
    this.#hands = hands;
    this.#report = report;
    this.growth = new Growth(report);
    this.#reclaims = new Reclaims(report);
  }

  get config(): Config {
    return this.#state.config;
  }

  get state(): State {
    return this.#state;
  }

  /** The policy's view of a call, and its pauses up to now. */
  call(id: string): (PolicyCall & { pauses: { throttledMs: number; frozenMs: number } }) | undefined {
    const call = this.#state.calls[id];
    return call && { ...call, pauses: this.#pauses(call) };
  }

  /** The governor knows to the microsecond for how long it held whom; the policy only knows for how long it wanted it slowed down. */
  #pauses(call: PolicyCall): { throttledMs: number; frozenMs: number } {
    const pauses = pausesOf(call, performance.now());
    const held = this.growth.held(`call ${call.id}`);
    if (!held) return pauses;
    const files = this.#throttledByFiles.get(call.id);
    const byFiles = files ? files.ms + (this.growth.on ? 0 : pauses.throttledMs - files.from) : 0;
    // added up over its tasks, it may be more than the time there was
    const lived = performance.now() - call.startedAt;
    return { ...pauses, throttledMs: Math.round(Math.min(held.heldMs + byFiles, lived)) };
  }

  /**
   * The governor has taken over, or is gone: what is in force is said again in its terms, or in those of cgroup files. Nothing
   * changes for a call but who keeps it.
   */
  retell(): void {
    const governed = this.growth.on;
    this.send({ type: 'governor', inCharge: governed });
    for (const call of Object.values(this.#state.calls)) {
      const { throttledMs } = pausesOf(call, performance.now());
      const files = this.#throttledByFiles.get(call.id) ?? { ms: 0, from: 0 };
      if (governed) files.ms += throttledMs - files.from;
      this.#throttledByFiles.set(call.id, { ...files, from: throttledMs });
      this.#try('retell', () => {
        const cgroup = this.#hands.cgroupOf({ kind: 'call', call: call.id });
        if (this.#controllers.has('memory')) cgroup?.write('memory.high', governed ? 'max' : call.applied.high);
      });
    }
    if (governed) this.#budgetAll();
  }

  #budgetAll(): void {
    for (const tenant of Object.keys(this.#state.tenants)) this.#budget({ kind: 'tenant', tenant });
    for (const session of Object.keys(this.#state.sessions)) this.#budget({ kind: 'session', session });
    for (const call of Object.keys(this.#state.calls)) this.#budget({ kind: 'call', call });
    this.#guard();
  }

  /** Writes a target's budget, if it has changed. The agent has none: it is never held; the node has its guard. */
  #budget(target: Target): void {
    if (target.kind === 'agent' || target.kind === 'node') return;
    this.#try('budget', () => {
      const cgroup = this.#hands.cgroupOf(target);
      if (!cgroup) return;
      const [name, budget] =
        target.kind === 'call'
          ? [target.call, callGrowth(this.#state, target.call, performance.now())]
          : target.kind === 'session'
            ? [target.session, sessionGrowth(this.#state, target.session)]
            : [target.tenant, tenantGrowth(this.#state, target.tenant)];
      this.growth.set(`${target.kind} ${name}`, () => Number(cgroup.id), budget, target.kind === 'call');
    });
  }

  /** The kernel's guard has stopped the growth of low-priority calls, or lets them go on: said of each, once a second at most. */
  guardMoved(tripped: boolean, text: string): void {
    const now = performance.now();
    this.#guardSince = tripped ? (this.#guardSince ?? now) : undefined;
    for (const { id, session, tenant, phase } of Object.values(this.#state.calls)) {
      if (phase === 'held' || callGrowth(this.#state, id, now)?.priority !== 'low') continue;
      const about = this.#guarded.get(id);
      if (tripped ? about?.tripped || now - (about?.at ?? -1e9) < GUARD_SAID_MS : !about?.tripped) continue;
      this.#guarded.set(id, { tripped, at: now });
      const decision = tripped ? 'guard' : 'guard cleared';
      this.#hands.explain(this.#measured({ t: now, decision, text, call: id, session, tenant }));
    }
  }

  #guard(): void {
    const now = performance.now();
    if (now < this.#guardRests) return;
    const budget = guardBudget(this.#state, now - (this.#guardSince ?? now));
    if (!budget && this.#guardSince !== undefined) {
      // those it stopped get on for as long as after any other pause, and then until it is seen who starves all the same
      this.#guardRests = now + guardRest(this.#state);
      this.#guardSince = undefined;
    }
    this.growth.guard(budget, () => Number(this.#hands.root.id));
  }

  /** Takes an event in and carries out what follows. Events that arise meanwhile are taken in order afterwards. */
  send(event: PolicyEvent): void {
    this.#queue.push(event);
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) this.#step(next);
    } finally {
      this.#stepping = false;
    }
  }

  #step(event: PolicyEvent): void {
    const { state, actions, explanations } = step(this.#state, event, performance.now());
    this.#state = state;
    for (const explanation of explanations) this.#hands.explain(this.#measured(explanation));
    for (const action of actions) this.#try(action.type, () => this.#carryOut(action));
    if (event.type === 'samples')
      for (const action of [...this.#late.values()]) this.#try(action.type, () => this.#carryOut(action));
    if (event.type === 'call-end') {
      this.growth.forget(`call ${event.call}`);
      this.#throttledByFiles.delete(event.call);
      this.#guarded.delete(event.call);
    }
    if (!this.growth.on) return;
    for (const action of actions)
      if (action.type === 'pace') this.#budget({ kind: 'call', call: action.call });
      else if ('target' in action && action.type !== 'reclaim') this.#budget(action.target);
    if (event.type === 'config') this.#budgetAll();
    else if (event.type === 'samples') this.#guard();
  }

  #try(doing: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      // a cgroup that is gone needs nothing any more
      if (!(error instanceof CgroupFileError && error.gone)) this.#report(error, `carry out ${doing}`);
    }
  }

  /** With what the kernel measured of the call it is about. */
  #measured(explanation: Explanation): Explanation {
    const { call, decision, text } = explanation;
    const words = call && this.growth.words(`call ${call}`, decision, this.#state.calls[call]?.pace);
    return words ? { ...explanation, text: `${text}; ${words}` } : explanation;
  }

  #carryOut(action: Action): void {
    const hands = this.#hands;
    switch (action.type) {
      case 'admit':
        hands.admit(action.call);
        return;
      case 'hold':
      case 'advise':
      case 'pace':
        // a held call simply has no answer yet; what to advise is worked out from the facts at the end of the call; a pace is a budget
        return;
      case 'refuse':
        hands.refuse(action.call, action.text);
        return;
      case 'kill':
        hands.kill(action.call, action.reason);
        return;
      case 'wake':
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.send({ type: 'timer' }), Math.max(0, action.at - performance.now()));
        this.#timer.unref();
        return;
      case 'freeze':
      case 'thaw':
        this.#freezing(action);
        return;
      case 'pids':
        if (this.#controllers.has('pids'))
          hands.cgroupOf({ kind: 'call', call: action.call })?.write('pids.max', action.max);
        return;
      case 'weight': {
        const cgroup = hands.cgroupOf(action.target);
        if (this.#controllers.has('cpu')) cgroup?.write('cpu.weight', hands.cpuWeightOf(action.target) ?? action.cpu);
        if (this.#controllers.has('io')) cgroup?.write('io.weight', action.io);
        return;
      }
      default:
        if (this.#controllers.has('memory')) this.#memory(action);
    }
  }

  #memory(action: Extract<Action, { target: Target }>): void {
    const cgroup = this.#hands.cgroupOf(action.target);
    if (!cgroup) return;
    const governed = this.growth.on && action.target.kind === 'call';
    if (action.type === 'throttle' || action.type === 'unthrottle') {
      // the governor slows it down without the crawl that memory.high ends in
      if (!governed) cgroup.write('memory.high', action.high);
    } else if (action.type === 'reclaim') {
      const { target, bytes } = action;
      this.#reclaims.ask(cgroup, bytes, target.kind === 'call' && this.#state.calls[target.call] === undefined);
    } else if (action.type === 'bands') this.#bands(action, cgroup, governed);
  }

  #bands(action: Extract<Action, { type: 'bands' }>, cgroup: Cgroup, governed: boolean): void {
    if (action.min !== undefined) cgroup.write('memory.min', action.min);
    if (action.low !== undefined) cgroup.write('memory.low', action.low);
    const { max, high } = action;
    if (max !== undefined) this.#late.delete(cgroup.path);
    if (max !== undefined && this.#wouldKill(cgroup, max)) {
      if (action.target.kind !== 'call') this.#late.set(cgroup.path, action);
      return;
    }
    // the soft ceiling first when both come down, last when both go up: it is never above the hard one for long
    if (high !== undefined && !governed) cgroup.write('memory.high', high);
    if (max !== undefined) cgroup.write('memory.max', max);
  }

  /** Would writing this ceiling start the OOM killer? Usage may have grown since the policy looked. */
  #wouldKill(cgroup: Cgroup, max: Limit): boolean {
    if (max === 'max') return false;
    const current = cgroup.read('memory.current') ?? 0;
    if (current + KILL_MARGIN < max) return false;
    return current - (cgroup.read('memory.stat')?.inactiveFileBytes ?? 0) + KILL_MARGIN >= max;
  }

  #freezing({ type, call }: { type: 'freeze' | 'thaw'; call: string }): void {
    const cgroup = this.#hands.cgroupOf({ kind: 'call', call });
    if (!cgroup) return;
    // not waited for: the freeze of a task asleep in memory.high takes up to 2 s, and a thaw may come before
    cgroup.write('cgroup.freeze', type === 'freeze');
  }

  /** The call's cgroup is empty. Resolves when what it left charged has been reclaimed, or that took too long. */
  async callEnded(call: string, cgroup: Cgroup): Promise<void> {
    const left = this.#controllers.has('memory') ? cgroup.read('memory.current') : undefined;
    this.send({ type: 'call-end', call, ...(left !== undefined && { left }) });
    await this.#reclaims.settled(cgroup);
  }

  /** The session's cgroup is gone, and its tenant's, if it was the last one there. */
  sessionEnded(session: string, tenant: string): void {
    this.send({ type: 'session-end', session });
    this.growth.forget(`session ${session}`);
    if (!this.#hands.cgroupOf({ kind: 'tenant', tenant })?.exists()) this.growth.forget(`tenant ${tenant}`);
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
