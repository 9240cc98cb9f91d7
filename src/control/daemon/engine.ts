import { relative } from 'node:path';
import { AcgError, type CallRecord, type Config, formatDuration, redactCommand } from '../../model/index.ts';
import { type Cgroup, parsePlace, type Root, tenantName } from '../cgroup/index.ts';
import type { Open } from '../intercept/index.ts';
import {
  commandClass,
  type Explanation,
  HINT_VARIABLE,
  hintOf,
  type KillReason,
  type Target,
} from '../policy/index.ts';
import { askedOf } from './asked.ts';
import type { Call, Controllers } from './call.ts';
import { CallLifecycle } from './call-lifecycle.ts';
import { CallStatuses } from './call-statuses.ts';
import { CallsByData } from './calls-by-data.ts';
import { enlistAll } from './enlist.ts';
import type { KeptCall } from './kept.ts';
import { PolicyDriver } from './policy-driver.ts';
import { cgroupDirectoryOf, commandLine, identify, moveTree } from './processes.ts';
import type { Session } from './session.ts';
import { SessionLifecycle } from './session-lifecycle.ts';
import type { TraceStore } from './trace-store.ts';
import { Turns } from './turns.ts';
import { measured } from './usage.ts';

/** The answer to a shim's question. */
export type Opening =
  | { verdict: 'plain' }
  | { verdict: 'refused'; text: string }
  | { verdict: 'contained'; session: Session; call: Call };

type Report = (error: unknown, doing: string) => void;

/**
 * All sessions and calls of this node, and what happens to them. Owns the tree below `root`: nobody else makes or removes
 * cgroups there. Holds no state that the cgroups (xattrs) and traces do not hold too, but the policy's, which starts afresh.
 */
export class Engine {
  readonly sessions = new Map<string, Session>();
  readonly lifecycle: SessionLifecycle;
  readonly root: Pick<Root, 'cgroup' | 'mount' | 'enabled'>;
  readonly controllers: Controllers;
  readonly policy: PolicyDriver;
  readonly calls: CallLifecycle;
  readonly byData: CallsByData;
  readonly statuses: CallStatuses;
  /** Our scheduler runs what asks for it (policy SCHED_EXT): calls do. */
  schedExt = false;
  readonly #traces: TraceStore;
  readonly #explained: (explanation: Explanation) => void;
  readonly #turns: Turns;

  /** `report` hears of every failure that no caller waits for, `explained` of every decision. `capacityBytes`: for all sessions together. */
  constructor(
    root: Pick<Root, 'cgroup' | 'mount' | 'enabled'>,
    traces: TraceStore,
    config: Config,
    capacityBytes: number,
    report: Report,
    explained: (explanation: Explanation) => void,
  ) {
    this.root = root;
    this.controllers = new Set(root.enabled);
    this.#traces = traces;
    this.#explained = explained;
    const hands = {
      root: root.cgroup,
      cgroupOf: (target: Target) => this.#cgroupOf(target),
      admit: (call: string) => this.calls.waiting.admit(call),
      refuse: (call: string, text: string) => this.calls.waiting.refuse(call, text),
      kill: (call: string, reason: KillReason) => this.#killForPolicy(call, reason),
      explain: (explanation: Explanation) => this.#explain(explanation),
      cpuWeightOf: (target: Target) =>
        target.kind === 'session' ? this.sessions.get(target.session)?.kept.limits.cpuWeight : undefined,
    };
    this.#turns = new Turns(() => this.policy.state);
    this.policy = new PolicyDriver(config, capacityBytes, this.controllers, hands, report);
    this.calls = new CallLifecycle(this.controllers, this.policy, traces, report);
    this.lifecycle = new SessionLifecycle(this.sessions, root.cgroup, this.calls, this.policy, traces, report);
    this.statuses = new CallStatuses(this.sessions, this.controllers);
    this.byData = new CallsByData(this.sessions, this.calls, this.statuses, this.policy, traces);
  }

  /** The session the process is in, and whether it is inside a call of it already. Throws ACG_FOREIGN_SESSION. */
  #whereIs(pid: number): { session: Session; inCall: boolean } {
    const directory = cgroupDirectoryOf(pid, this.root.mount);
    const ofAgent = directory === undefined ? undefined : this.lifecycle.ofAgentLeaf.get(directory);
    if (ofAgent) return { session: ofAgent, inCall: false };
    const place = directory === undefined ? undefined : parsePlace(relative(this.root.cgroup.path, directory));
    const session = place && 'session' in place ? this.sessions.get(place.session) : undefined;
    if (!session || session.kept.tenant !== (place as { tenant: string }).tenant)
      throw new AcgError('ACG_FOREIGN_SESSION', `process ${pid} in ${directory ?? 'no cgroup of ours'}`);
    return { session, inCall: place!.kind === 'call' };
  }

  /**
   * A shim asks to run a command. Answers when the policy lets the call in, at once as a rule; the call's cgroup is made
   * then. An aborted `signal` takes the question back. Throws ACG_FOREIGN_SESSION, ACG_NO_SESSION, ACG_LIMIT, CgroupFileError.
   */
  async open(shimPid: number, request: Open, signal: AbortSignal): Promise<Opening> {
    const { session, inCall } = this.#whereIs(shimPid);
    if (inCall) return { verdict: 'plain' };
    const { maxCalls } = this.policy.config.session;
    if (session.asking >= maxCalls)
      throw new AcgError('ACG_LIMIT', `${session.asking} calls of the session wait already`);
    session.asking++;
    try {
      return await this.#openIn(session, shimPid, request, signal);
    } finally {
      session.asking--;
    }
  }

  async #openIn(session: Session, shimPid: number, request: Open, signal: AbortSignal): Promise<Opening> {
    await this.#turns.take(session.id, signal);
    if (signal.aborted) throw new AcgError('ACG_NO_CALL', `the shim ${shimPid} has hung up`);
    if (session.state !== 'running') throw new AcgError('ACG_NO_SESSION', `${session.id} is ending`);
    const shim = identify(shimPid);
    for (const other of session.calls.values())
      if (shim && other.kept.shim?.pid === shimPid && other.kept.shim.startTicks === shim.startTicks)
        await this.calls.discard(session, other);
    const asked = askedOf(request, session.kept.argv);
    const call = await this.calls.begin(
      session,
      {
        ...asked,
        agentCallId: asked.agentCallId ?? session.expected.take(asked.command, Date.now()),
        environmentHint: request.env[HINT_VARIABLE],
        cwd: request.cwd,
        via: 'shim',
        feedbackAs: /^json(:\d{1,4})?$/.test(request.env.AGENTCGROUP_FEEDBACK ?? '') ? 'json' : undefined,
        holder: shim,
      },
      signal,
    );
    return { verdict: 'contained', session, call };
  }

  /**
   * Makes a call of a process tree that runs in an agent leaf: its processes are moved, what they have allocated stays charged
   * to the agent. The caller has decided that it is no part of the agent, which it has known of since `seen`. Undefined when it is gone, or in a call already.
   * Throws ACG_FOREIGN_SESSION, CgroupFileError.
   */
  adopt(pid: number, seen: number): Call | undefined {
    const { session, inCall } = this.#whereIs(pid);
    const root = identify(pid);
    if (inCall || !root || session.state !== 'running') return undefined;
    const { command, cwd } = commandLine(pid);
    const { hint } = hintOf({ environment: undefined, command });
    const number = session.nextCall();
    const kept = measured<KeptCall>({
      version: 1,
      call: `${session.id}.${number}`,
      number,
      start: Date.now(),
      tool: 'process',
      command: redactCommand(command, this.policy.config.record),
      cwd,
      via: 'adopted',
      shim: root,
      background: false,
    });
    const call = this.calls.start(session, kept, 0);
    this.policy.send({ type: 'call-start', call: call.id, session: session.id, hint, class: commandClass(command) });
    try {
      moveTree(pid, session.agent, call.cgroup, session.kept.oomScoreAdj);
    } finally {
      // ends with its process at the latest, wherever that is
      this.calls.watch(session, call);
      this.calls.watchAdopted(session, call);
    }
    this.enlist(call);
    const after = formatDuration(Math.max(0, Date.now() - seen));
    const text = `process ${pid} was running beside the agent without a shell: made a call of its own, ${after} after it was seen`;
    this.#traces.write(session.id, {
      type: 'event',
      session: session.id,
      call: call.id,
      t: kept.start,
      kind: 'adopted',
      text,
    });
    return call;
  }

  /** Has our scheduler run what is in a call: one that no shim started, or that was running before it was in charge. */
  enlist(call: Call): void {
    if (this.schedExt) enlistAll(call.cgroup);
  }

  /** The same for calls that run, all of them or these. Returns those that had no process yet: they are to be looked at again. */
  enlistRunning(calls = [...this.sessions.values()].flatMap((session) => [...session.calls.values()])): Call[] {
    const unstarted = calls.filter((call) => call.state === 'running' && !call.cgroup.populated());
    for (const call of calls) this.enlist(call);
    return unstarted;
  }

  /** Ends one call as a whole, background processes included, and resolves with its record. Throws ACG_NO_CALL. */
  killCall(id: string): Promise<CallRecord> {
    const found = this.statuses.find(id);
    if (!found) throw new AcgError('ACG_NO_CALL', id);
    this.calls.kill(found.session, found.call, 'session');
    return found.call.ended.promise;
  }

  #killForPolicy(id: string, reason: KillReason): void {
    const found = this.statuses.find(id);
    if (found) this.calls.kill(found.session, found.call, reason === 'time' ? 'limit' : 'ladder', reason);
  }

  #cgroupOf(target: Target): Cgroup | undefined {
    switch (target.kind) {
      case 'node':
        return this.root.cgroup;
      case 'tenant':
        return this.root.cgroup.child(tenantName(target.tenant));
      case 'session':
        return this.sessions.get(target.session)?.cgroup;
      case 'agent':
        return this.sessions.get(target.session)?.agent;
      case 'call':
        return this.statuses.find(target.call)?.call.cgroup;
    }
  }

  #explain(explanation: Explanation): void {
    this.#explained(explanation);
    const { call: id, session: of, text } = explanation;
    const t = Date.now() - (performance.now() - explanation.t);
    if (id !== undefined && !this.calls.waiting.explain(id, { t, text }))
      this.statuses.find(id)?.call.explain({ t, text });
    const session = of ?? (id === undefined ? undefined : id.slice(0, id.lastIndexOf('.')));
    if (session === undefined || !this.sessions.has(session)) return;
    const about = { session, ...(id !== undefined && { call: id }) };
    const data = explanation.observed ? { observed: true } : {};
    this.#traces.write(session, { type: 'event', ...about, t, kind: explanation.decision, text, data });
  }

  /** Stops watching; the sessions live on for the next daemon. */
  async release(): Promise<void> {
    this.policy.close();
    this.lifecycle.release();
    for (const session of this.sessions.values()) {
      session.spare.drop();
      for (const call of session.calls.values()) call.unwatch();
    }
    await this.#traces.closeAll();
  }
}
