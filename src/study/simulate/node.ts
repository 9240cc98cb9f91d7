/**
 * A simulated node: virtual time, in ticks; agents and calls that follow their demand; the memory model below them. It
 * decides nothing: a controller (see control.ts) is told what happens and may set bands, freeze and kill.
 */

import { cpuShares } from './cpu.ts';
import { quietFor } from './leap.ts';
import { charge, reclaim } from './memory.ts';
import { refault } from './paging.ts';
import { destroy, type Group, group, leavesOf, type Memory, memory, remove } from './tree.ts';
import { work } from './work.ts';
import { type CallSpec, type SessionSpec, type Workload, workOf } from './workload.ts';

/** Length of a tick after a breach, milliseconds. */
const FINE = 10;

export type CallEnd = 'done' | 'killed' | 'oom' | 'refused' | 'agent-died';

export interface SimCall {
  id: string;
  session: SimSession;
  spec: CallSpec;
  attempt: number;
  state: 'asked' | 'running' | 'background' | 'ended';
  group: Group;
  askedAt: number;
  startedAt: number;
  endedAt: number;
  /** Milliseconds of work done. */
  done: number;
  pids: number;
  pidsMax: number;
  pidsEvents: number;
  cpuWeight: number;
  peak: number;
  end: CallEnd | undefined;
  reason: string | undefined;
  /** Longest time it stood still or crawled (below a tenth of its speed) in one piece, milliseconds. */
  longestStill: number;
  still: number;
}

export interface SimSession {
  spec: SessionSpec;
  group: Group;
  agent: Group;
  started: boolean;
  alive: boolean;
  endedAt: number | undefined;
  turn: number;
  thinkUntil: number;
  waitingFor: Set<SimCall>;
  calls: SimCall[];
}

/** What the node tells its controller. */
export interface Control {
  sessionStarted(s: SimSession): void;
  sessionEnded(s: SimSession): void;
  /** Ask to start a call; the controller calls node.start or node.refuse, now or later. */
  callAsked(c: SimCall): void;
  callBackground(c: SimCall): void;
  callEnded(c: SimCall): void;
  /** After every tick. */
  tick(): void;
  /** When it wants to be called again: no leap reaches beyond. */
  readonly wakeAt?: number | undefined;
}

export class SimNode {
  readonly memory: Memory;
  readonly workload: Workload;
  /** Length of the next tick: short after a breach, when things happen quickly. */
  tickMs: number;
  readonly #coarse: number;
  readonly sessions: SimSession[];
  readonly calls: SimCall[] = [];
  readonly tenants = new Map<string, Group>();
  now = 0;
  control!: Control;
  /** Time in which calls of at least two sessions really ran at once, milliseconds. */
  overlapMs = 0;
  oomAbove = 0;
  #number = 0;
  #events = 0;
  /** Flat: one cgroup per session as containers have it, agent and calls together in the eyes of the OOM killer. */
  readonly flat: boolean;
  /** From event to event while nothing is near a limit, instead of tick by tick: what fleets are made of. */
  readonly #leaps: boolean;
  /** The last tick was a leap: all limits were far. */
  quiet = false;
  /** No leap goes beyond this time. */
  horizon = Number.POSITIVE_INFINITY;

  constructor(workload: Workload, tickMs: number, flat: boolean, leaps = false) {
    this.workload = workload;
    this.tickMs = tickMs;
    this.#coarse = tickMs;
    this.flat = flat;
    this.#leaps = leaps;
    this.memory = memory(workload.capacity, workload.swap);
    this.sessions = [];
    for (const spec of workload.sessions) this.add(spec);
  }

  /** One more session; it starts at its `startsAt`. */
  add(spec: SessionSpec): SimSession {
    const s: SimSession = {
      spec,
      group: this.memory.root,
      agent: this.memory.root,
      started: false,
      alive: true,
      endedAt: undefined,
      turn: 0,
      thinkUntil: 0,
      waitingFor: new Set(),
      calls: [],
    };
    this.sessions.push(s);
    return s;
  }

  /** Takes sessions that have ended, and their calls, off the lists: a node that runs for long holds only what lives. */
  forget(): SimSession[] {
    const ended = this.sessions.filter((s) => s.endedAt !== undefined);
    if (ended.length === 0) return ended;
    this.sessions.splice(0, this.sessions.length, ...this.sessions.filter((s) => s.endedAt === undefined));
    this.calls.splice(0, this.calls.length, ...this.calls.filter((c) => c.session.endedAt === undefined));
    return ended;
  }

  /** Kills a session as a whole, agent included, as controllers of containers do. */
  killSession(s: SimSession): void {
    s.alive = false;
    if (s.endedAt === undefined) this.#endSession(s);
  }

  /** Runs until all sessions have ended or `until`. */
  run(until: number): void {
    while (this.now < until && this.sessions.some((s) => s.endedAt === undefined)) this.tick();
  }

  tick(): void {
    const leap = this.#leaps ? quietFor(this) : 0;
    this.quiet = leap > this.tickMs;
    if (this.quiet) this.tickMs = leap;
    const end = this.now + this.tickMs;
    for (const s of this.sessions) this.#agent(s, end);
    const running = this.calls.filter((c) => c.state === 'running' || c.state === 'background');
    const share = cpuShares(running, this.workload.cpus, this.now);
    const active = new Set<SimSession>();
    for (const c of running) {
      const before = c.done;
      if (c.state !== 'ended') this.#work(c, share.get(c) ?? 1, end);
      if (c.done - before > this.tickMs / 10) active.add(c.session);
    }
    if (active.size > 1) this.overlapMs += this.tickMs;
    this.now = end;
    this.#bury();
    for (const c of running)
      if (c.state !== 'ended' && c.done >= workOf(c.spec) && !c.spec.forksPerSecond) this.#end(c, 'done');
    this.control.tick();
    this.#bury();
    let events = 0;
    for (const c of running) events += c.group.highEvents + c.group.maxEvents;
    this.tickMs = events === this.#events ? Math.min(this.#coarse, this.tickMs * 2) : Math.min(this.#coarse, FINE);
    this.#events = events;
  }

  #agent(s: SimSession, end: number): void {
    if (!s.started && this.now >= s.spec.startsAt) this.#startSession(s);
    if (!s.started || !s.alive || s.endedAt !== undefined) return;
    const { agent } = s.spec;
    if (agent.growsPerSecond)
      charge(this.memory, s.agent, 'anon', (agent.growsPerSecond * this.tickMs) / 1000, this.now, end);
    refault(this.memory, s.agent, agent.hot, this.now, end);
    if (this.now < s.thinkUntil || s.waitingFor.size > 0) return;
    const turn = s.spec.turns[s.turn];
    if (!turn) {
      this.#endSession(s);
      return;
    }
    s.turn++;
    for (const spec of turn.calls) this.#ask(s, spec, 0);
    if (turn.calls.length === 0 || s.waitingFor.size === 0) this.#think(s);
  }

  #think(s: SimSession): void {
    s.thinkUntil = this.now + (s.spec.turns[s.turn]?.think ?? 0);
  }

  #startSession(s: SimSession): void {
    const { spec } = s;
    s.started = true;
    let tenant = this.tenants.get(spec.tenant);
    if (!tenant) {
      tenant = group(`tenant ${spec.tenant}`, this.memory.root, false);
      this.tenants.set(spec.tenant, tenant);
    }
    s.group = group(`session ${spec.id}`, tenant, false);
    s.agent = group(`agent ${spec.id}`, s.group, true);
    s.agent.oomScoreAdj = this.flat ? 0 : -900;
    charge(this.memory, s.agent, 'anon', spec.agent.anon, this.now, this.now + 1e9);
    charge(this.memory, s.agent, 'hotFile', spec.agent.hot, this.now, this.now + 1e9);
    if (spec.agent.cold) charge(this.memory, s.agent, 'coldFile', spec.agent.cold, this.now, this.now + 1e9);
    this.#think(s);
    this.control.sessionStarted(s);
  }

  #endSession(s: SimSession): void {
    s.endedAt = this.now;
    for (const c of s.calls) if (c.state !== 'ended') this.#end(c, s.alive ? 'done' : 'agent-died');
    destroy(this.memory, s.agent);
    remove(s.group);
    this.control.sessionEnded(s);
  }

  #ask(session: SimSession, spec: CallSpec, attempt: number): void {
    const id = `${session.spec.id}.${++this.#number}`;
    const c: SimCall = {
      id,
      session,
      spec,
      attempt,
      state: 'asked',
      group: this.memory.root,
      askedAt: this.now,
      startedAt: this.now,
      endedAt: 0,
      done: 0,
      pids: spec.processes ?? 1,
      pidsMax: Number.POSITIVE_INFINITY,
      pidsEvents: 0,
      cpuWeight: 100,
      peak: 0,
      end: undefined,
      reason: undefined,
      longestStill: 0,
      still: 0,
    };
    this.calls.push(c);
    session.calls.push(c);
    session.waitingFor.add(c);
    this.control.callAsked(c);
  }

  /** The controller lets a call in. */
  start(c: SimCall): void {
    c.state = 'running';
    c.startedAt = this.now;
    c.group = group(`call ${c.id}`, c.session.group, true);
    c.group.processes = c.spec.processes ?? 1;
    c.group.oomGroup = !this.flat;
  }

  /** The controller does not. */
  refuse(c: SimCall): void {
    this.#end(c, 'refused');
  }

  /** cgroup.kill. */
  kill(c: SimCall, reason: string): void {
    if (c.state === 'ended') return;
    c.reason = reason;
    this.#end(c, 'killed');
  }

  reclaim(g: Group, bytes: number): void {
    if (!g.dead) reclaim(this.memory, g, bytes);
  }

  #end(c: SimCall, how: CallEnd): void {
    const started = c.state !== 'asked';
    const foreground = c.session.waitingFor.delete(c);
    c.state = 'ended';
    c.end = how;
    c.endedAt = this.now;
    if (started) {
      // page cache stays behind, charged to the parent, once the directory is gone
      destroy(this.memory, c.group);
    }
    if (how !== 'refused') this.control.callEnded(c);
    const s = c.session;
    if (!s.alive || s.endedAt !== undefined || !foreground) return;
    if ((how === 'killed' || how === 'oom') && c.attempt < (c.spec.retries ?? 0)) this.#ask(s, c.spec, c.attempt + 1);
    if (s.waitingFor.size === 0) this.#think(s);
  }

  /** Sorts out whom the OOM killer took. */
  #bury(): void {
    for (const { leaf, domain } of this.memory.oomKilled.splice(0)) {
      if (domain !== leaf) this.oomAbove++;
      const s = this.sessions.find((x) => x.agent === leaf);
      if (s) {
        s.alive = false;
        if (s.endedAt === undefined) this.#endSession(s);
      }
      const c = this.calls.find((x) => x.group === leaf && x.state !== 'ended');
      if (c) this.#end(c, 'oom');
    }
  }

  #work(c: SimCall, cpu: number, end: number): void {
    work(this.memory, c, cpu, { now: this.now, ms: this.tickMs, end });
    const { backgroundAfter } = c.spec;
    if (backgroundAfter !== undefined && c.done >= backgroundAfter && c.state === 'running') {
      c.state = 'background';
      c.session.waitingFor.delete(c);
      this.control.callBackground(c);
      if (c.session.waitingFor.size === 0) this.#think(c.session);
    }
  }

  /** Leaves alive below the root: for checks. */
  leaves(): Group[] {
    return leavesOf(this.memory.root);
  }
}
