import type { Config } from '../../model/index.ts';
import { type Cgroup, CgroupFileError, type Limit } from '../cgroup/index.ts';
import {
  type Action,
  type Explanation,
  initialState,
  type KillReason,
  type Call as PolicyCall,
  type PolicyEvent,
  pausesOf,
  type State,
  step,
  type Target,
} from '../policy/index.ts';

/** What the policy's actions do to the world; the engine provides it. */
export interface Hands {
  /** The cgroup of a target; undefined when it is gone. */
  cgroupOf(target: Target): Cgroup | undefined;
  admit(call: string): void;
  refuse(call: string, text: string): void;
  kill(call: string, reason: KillReason): void;
  explain(explanation: Explanation): void;
  /** An explicit cpu.weight of a session, which the policy's own does not replace. */
  cpuWeightOf(target: Target): number | undefined;
}

/** The kernel kills instead of waiting when a ceiling is written this close to what cannot be reclaimed. */
const KILL_MARGIN = 4 * 2 ** 20;
/** Reclaim of what a finished call left may hold its cgroup up for so long. */
const RECLAIM_LIMIT_MS = 2000;

/** Drives the pure policy: feeds it events on one monotonic clock and carries out what it decides. */
export class PolicyDriver {
  #state: State;
  readonly #hands: Hands;
  readonly #controllers: ReadonlySet<string>;
  readonly #report: (error: unknown, doing: string) => void;
  readonly #queue: PolicyEvent[] = [];
  #stepping = false;
  #timer: NodeJS.Timeout | undefined;
  /** Reclaims under way, by call. */
  readonly #reclaims = new Map<string, Promise<unknown>>();

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
    return call && { ...call, pauses: pausesOf(call, performance.now()) };
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
    for (const explanation of explanations) this.#hands.explain(explanation);
    for (const action of actions) {
      try {
        this.#carryOut(action);
      } catch (error) {
        // a cgroup that is gone needs nothing any more
        if (!(error instanceof CgroupFileError && error.gone)) this.#report(error, `carry out ${action.type}`);
      }
    }
  }

  #carryOut(action: Action): void {
    const hands = this.#hands;
    switch (action.type) {
      case 'admit':
        hands.admit(action.call);
        return;
      case 'hold':
      case 'advise':
        // a held call simply has no answer yet; what to advise is worked out from the facts at the end of the call
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
    if (action.type === 'throttle' || action.type === 'unthrottle') cgroup.write('memory.high', action.high);
    else if (action.type === 'reclaim') this.#reclaim(action.target, cgroup, action.bytes);
    else if (action.type === 'bands') this.#bands(action, cgroup);
  }

  #bands(action: Extract<Action, { type: 'bands' }>, cgroup: Cgroup): void {
    if (action.min !== undefined) cgroup.write('memory.min', action.min);
    if (action.low !== undefined) cgroup.write('memory.low', action.low);
    const { max, high } = action;
    if (max !== undefined && this.#wouldKill(cgroup, max)) return;
    // the soft ceiling first when both come down, last when both go up: it is never above the hard one for long
    if (high !== undefined) cgroup.write('memory.high', high);
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

  #reclaim(target: Target, cgroup: Cgroup, bytes: number): void {
    const done = cgroup
      .reclaim(bytes)
      .catch((error) => this.#report(error, `reclaim from ${cgroup.path}`))
      .finally(() => {
        if (target.kind === 'call') this.#reclaims.delete(target.call);
      });
    if (target.kind === 'call') this.#reclaims.set(target.call, done);
  }

  /** The call's cgroup is empty. Resolves when what it left charged has been reclaimed, or that took too long. */
  async callEnded(call: string, cgroup: Cgroup): Promise<void> {
    const left = this.#controllers.has('memory') ? cgroup.read('memory.current') : undefined;
    this.send({ type: 'call-end', call, ...(left !== undefined && { left }) });
    const reclaim = this.#reclaims.get(call);
    if (!reclaim) return;
    const limit = Promise.withResolvers<void>();
    const timer = setTimeout(limit.resolve, RECLAIM_LIMIT_MS);
    await Promise.race([reclaim, limit.promise]);
    clearTimeout(timer);
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
