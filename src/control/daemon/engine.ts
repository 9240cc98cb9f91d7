import { relative } from 'node:path';
import type { z } from 'zod';
import {
  AcgError,
  type CallEnd,
  type CallRecord,
  type CallRequest,
  type CallStatus,
  type Config,
  type Feedback,
  type SessionRequest,
  type SessionStatus,
} from '../../model/index.ts';
import { type Cgroup, parsePlace, type Root, tenantName } from '../cgroup/index.ts';
import type { Ended, Open } from '../intercept/index.ts';
import { setXattr, signalNumber } from '../native/index.ts';
import {
  commandClass,
  type Explanation,
  feedbackFor,
  feedbackText,
  HINT_VARIABLE,
  hintOf,
  hintRecord,
  type KillReason,
  type Target,
} from '../policy/index.ts';
import { askedOf } from './asked.ts';
import { Call, type Controllers, createCallCgroup } from './call.ts';
import { CALL_XATTR, type KeptCall } from './kept.ts';
import { PolicyDriver } from './policy-driver.ts';
import { cgroupDirectoryOf, commandLine, decodeWaitStatus, identify, moveTree, onGone } from './processes.ts';
import { redactor } from './redact.ts';
import { createSession, delegate, type Session } from './session.ts';
import type { TraceStore } from './trace-store.ts';
import { measured, policyUsage, readUsage } from './usage.ts';

/** A throttled call moves memory.events with every batch of pages: the policy hears of it no more often than this. */
const BREACH_EVERY_MS = 20;
/** The answer to a shim's question. */
export type Opening = { verdict: 'plain' } | { verdict: 'contained'; session: Session; call: Call };

/** What is known of a call before it begins, whichever way it came. */
interface Beginning {
  tool: string;
  command: string;
  environmentHint: string | undefined;
  cwd?: string | undefined;
  agentCallId?: string | undefined;
  agentSessionId?: string | undefined;
  via: KeptCall['via'];
  feedbackAs?: 'json' | undefined;
  /** Who will tell its end. */
  holder: KeptCall['shim'] | undefined;
}

/** Requests to MCP servers that have no answer yet, in one session. */
const MOST_LOGGED = 1024;

/** A call that has asked to start and has no answer yet. */
interface Waiting {
  session: Session;
  start(): void;
  refuse(error: AcgError): void;
}

type Report = (error: unknown, doing: string) => void;

/**
 * All sessions and calls of this node, and what happens to them. Owns the tree below `root`: nobody else makes or removes
 * cgroups there. Holds no state that the cgroups (xattrs) and traces do not hold too, but the policy's, which starts afresh.
 */
export class Engine {
  readonly sessions = new Map<string, Session>();
  readonly root: Pick<Root, 'cgroup' | 'mount' | 'enabled'>;
  readonly controllers: Controllers;
  readonly policy: PolicyDriver;
  readonly #traces: TraceStore;
  readonly #report: Report;
  readonly #explained: (explanation: Explanation) => void;
  readonly #owners = new Map<string, { close(): void }>();
  readonly #endings = new Map<string, Promise<SessionStatus>>();
  readonly #waiting = new Map<string, Waiting>();

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
    this.#report = report;
    this.#explained = explained;
    const hands = {
      cgroupOf: (target: Target) => this.#cgroupOf(target),
      admit: (call: string) => this.#waiting.get(call)?.start(),
      refuse: (call: string, text: string) => this.#waiting.get(call)?.refuse(new AcgError('ACG_LIMIT', text)),
      kill: (call: string, reason: KillReason) => this.#killForPolicy(call, reason),
      explain: (explanation: Explanation) => this.#explain(explanation),
      cpuWeightOf: (target: Target) =>
        target.kind === 'session' ? this.sessions.get(target.session)?.kept.limits.cpuWeight : undefined,
    };
    this.policy = new PolicyDriver(config, capacityBytes, this.controllers, hands, report);
  }

  /** Throws ACG_BAD_REQUEST, ACG_SESSION_EXISTS, ACG_LIMIT, ACG_TRACE_WRITE, CgroupFileError; then nothing of the session is left. */
  async createSession(
    request: SessionRequest,
    requester: { pid: number; uid: number },
    now = Date.now(),
  ): Promise<SessionStatus> {
    const owner = request.owned ? identify(requester.pid) : undefined;
    if (request.owned && !owner) throw new AcgError('ACG_BAD_REQUEST', 'the owner is gone already');
    this.#checkRoom(request.tenant ?? 'default');
    const session = createSession(this.root.cgroup, request, owner, request.uid ?? requester.uid, now);
    try {
      await this.take(session);
    } catch (error) {
      await session.cgroup.end();
      throw error;
    }
    this.#traces.writeSession(session.kept);
    return this.status(session);
  }

  #checkRoom(tenant: string): void {
    const { tenants } = this.policy.config;
    const most = Object.hasOwn(tenants, tenant) ? tenants[tenant]!.maxSessions : 1000;
    const running = [...this.sessions.values()].filter((session) => session.kept.tenant === tenant).length;
    if (running >= most) throw new AcgError('ACG_LIMIT', `tenant ${tenant} has ${running} sessions`);
  }

  /** Puts a session, new or re-adopted, under this engine's care. */
  async take(session: Session): Promise<void> {
    await this.#traces.open(session.kept);
    this.sessions.set(session.id, session);
    const { tenant, priority, limits, owner } = session.kept;
    const budget = limits.memoryBytes;
    this.policy.send({
      type: 'session-start',
      session: session.id,
      tenant,
      priority,
      ...(budget !== undefined && { budget }),
    });
    if (owner)
      this.#owners.set(
        session.id,
        onGone(owner, () => this.#endLater(session.id)),
      );
  }

  /** Kills all that the session started, waits for it, removes its cgroups. Asked twice, both get the one answer. Throws ACG_NO_SESSION. */
  endSession(id: string, result: { exitCode?: number | null; signal?: string | null } = {}): Promise<SessionStatus> {
    const session = this.sessions.get(id);
    if (!session) throw new AcgError('ACG_NO_SESSION', id);
    let ending = this.#endings.get(id);
    if (!ending) {
      ending = this.#end(session, result);
      this.#endings.set(id, ending);
    }
    return ending;
  }

  async #end(session: Session, result: { exitCode?: number | null; signal?: string | null }): Promise<SessionStatus> {
    session.state = 'ending';
    this.#owners.get(session.id)?.close();
    this.#owners.delete(session.id);
    for (const waiting of this.#waiting.values())
      if (waiting.session === session) waiting.refuse(new AcgError('ACG_NO_SESSION', `${session.id} is ending`));
    for (const call of session.calls.values()) call.killedBy ??= 'session';
    session.cgroup.kill();
    await session.cgroup.waitEmpty();
    for (const call of [...session.calls.values()]) await this.finish(session, call);
    for (const record of session.logged.values()) this.#traces.write(session.id, { ...record, killedBy: 'session' });
    session.agentOomKilled ||= (session.agent.read('memory.events')?.oomKill ?? 0) > 0;
    await session.cgroup.remove();
    this.policy.send({ type: 'session-end', session: session.id });
    session.state = 'ended';
    session.end = Date.now();
    this.sessions.delete(session.id);
    this.#endings.delete(session.id);
    // the last session of a tenant takes the tenant's cgroup along; a new one may be on its way in
    session.cgroup.parent.tryRemove();
    const { end, agentOomKilled } = session;
    this.#traces.writeSession(session.kept, { ...result, end, agentOomKilled });
    await this.#traces.close(session.id);
    return this.status(session);
  }

  status(session: Session): SessionStatus {
    return session.status(this.#traces.path(session.kept));
  }

  #endLater(id: string): void {
    if (this.sessions.has(id)) this.endSession(id).catch((error) => this.#report(error, `end session ${id}`));
  }

  /** The session the process is in, and whether it is inside a call of it already. Throws ACG_FOREIGN_SESSION. */
  #whereIs(pid: number): { session: Session; inCall: boolean } {
    const directory = cgroupDirectoryOf(pid, this.root.mount);
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
    if (session.state !== 'running') throw new AcgError('ACG_NO_SESSION', `${session.id} is ending`);
    const asked = askedOf(request, session.kept.argv);
    const call = await this.#begin(
      session,
      {
        ...asked,
        agentCallId: asked.agentCallId ?? session.expected.take(asked.command, Date.now()),
        environmentHint: request.env[HINT_VARIABLE],
        cwd: request.cwd,
        via: 'shim',
        feedbackAs: request.env.AGENTCGROUP_FEEDBACK === 'json' ? 'json' : undefined,
        holder: identify(shimPid),
      },
      signal,
    );
    return { verdict: 'contained', session, call };
  }

  /**
   * Opens a call for a program that will start its command itself and tell the end by `endCall`. `holderPid`: when that
   * process is gone without a word after a daemon's restart, the call goes with it. Throws ACG_NO_SESSION, ACG_LIMIT, CgroupFileError.
   */
  async openByData(
    sessionId: string,
    request: z.output<typeof CallRequest>,
    holderPid: number,
    signal: AbortSignal,
  ): Promise<CallStatus> {
    const session = this.sessions.get(sessionId);
    if (session?.state !== 'running') throw new AcgError('ACG_NO_SESSION', sessionId);
    if (!request.contained) return this.#log(session, request);
    const { command = request.tool, hint: environmentHint, ...rest } = request;
    const holder = identify(holderPid);
    return this.#status(session, await this.#begin(session, { ...rest, command, environmentHint, holder }, signal));
  }

  /** A record of work inside the session that gets no cgroup of its own. */
  #log(session: Session, request: z.output<typeof CallRequest>): CallStatus {
    if (session.logged.size >= MOST_LOGGED)
      throw new AcgError('ACG_LIMIT', `${MOST_LOGGED} records wait for their end`);
    const { tool, command, cwd, agentCallId, agentSessionId, via } = request;
    const record = measured<CallRecord>({
      type: 'call',
      call: `${session.id}.${session.nextCall()}`,
      session: session.id,
      tenant: session.kept.tenant,
      tool,
      command: command === undefined ? undefined : redactor(this.policy.config.record)(command),
      cwd,
      agentCallId,
      agentSessionId,
      via,
      start: Date.now(),
    });
    session.logged.set(record.call, record);
    // written now, complete or not: without a cgroup the trace is all that holds its id across a daemon's death
    this.#traces.write(session.id, record);
    return { ...record, state: 'running' };
  }

  /** What every way in has in common: the record is begun, the hint read, the policy asked, the cgroup made. */
  async #begin(session: Session, beginning: Beginning, signal: AbortSignal): Promise<Call> {
    const { command, environmentHint, feedbackAs, holder } = beginning;
    const { hint, errors } = hintOf({ environment: environmentHint, command });
    const number = session.nextCall();
    const kept = measured<KeptCall>({
      version: 1,
      call: `${session.id}.${number}`,
      number,
      start: Date.now(),
      tool: beginning.tool,
      command: redactor(this.policy.config.record)(command),
      cwd: beginning.cwd || undefined,
      agentCallId: beginning.agentCallId,
      agentSessionId: beginning.agentSessionId,
      via: beginning.via,
      feedbackAs,
      hint: Object.keys(hint).length > 0 ? hintRecord(hint) : undefined,
      hintErrors: errors.length > 0 ? errors : undefined,
      shim: holder,
      background: false,
    });
    const call = await this.#admitted(session, kept, signal, () =>
      this.policy.send({
        type: 'call-request',
        call: kept.call,
        session: session.id,
        hint,
        class: commandClass(command),
      }),
    );
    // off the way of the answer: the first breach is not due for a while
    setImmediate(() => this.#watch(session, call));
    return call;
  }

  /** Asks the policy and makes the call when it is let in. */
  #admitted(session: Session, kept: KeptCall, signal: AbortSignal, ask: () => void): Promise<Call> {
    const { promise, resolve, reject } = Promise.withResolvers<Call>();
    const asked = performance.now();
    const settle = (outcome: () => void) => {
      if (!this.#waiting.delete(kept.call)) return;
      signal.removeEventListener('abort', takeBack);
      outcome();
    };
    const takeBack = () =>
      settle(() => {
        this.policy.send({ type: 'call-cancel', call: kept.call });
        reject(new AcgError('ACG_NO_CALL', `${kept.call} was given up while it waited`));
      });
    this.#waiting.set(kept.call, {
      session,
      refuse: (error) => settle(() => reject(error)),
      start: () =>
        settle(() => {
          try {
            resolve(this.#start(session, kept, performance.now() - asked));
          } catch (error) {
            this.policy.send({ type: 'call-end', call: kept.call });
            reject(error);
          }
        }),
    });
    signal.addEventListener('abort', takeBack);
    ask();
    return promise;
  }

  #start(session: Session, kept: KeptCall, waitedMs: number): Call {
    const cgroup = createCallCgroup(session.cgroup, kept.number, this.controllers);
    if (session.kept.uid !== 0) delegate(cgroup, session.kept.uid);
    // an answer in the same step is no wait
    if (waitedMs >= 1 && Date.now() - kept.start >= 1) kept.heldMs = Math.round(waitedMs);
    setXattr(cgroup.path, CALL_XATTR, JSON.stringify(kept));
    const call = new Call(cgroup, kept, this.controllers);
    session.calls.set(call.id, call);
    return call;
  }

  #watch(session: Session, call: Call): void {
    let seen = { high: 0, max: 0, oomKill: 0 };
    let toldAt = Number.NEGATIVE_INFINITY;
    const target = { call: call.id };
    const onMemory = () => {
      const events = call.cgroup.read('memory.events');
      if (!events || session.state !== 'running') return;
      const now = performance.now();
      if ((events.max > seen.max || events.high > seen.high) && now - toldAt >= BREACH_EVERY_MS) {
        toldAt = now;
        const reading = readUsage(call.cgroup);
        if (reading) this.policy.send({ type: 'breach', target, usage: policyUsage(reading) });
      }
      if (events.oomKill > seen.oomKill) this.policy.send({ type: 'oom-kill', target });
      seen = events;
    };
    try {
      call.watch(onMemory, () => this.policy.send({ type: 'pids-breach', call: call.id }));
    } catch (error) {
      this.#report(error, `watch call ${call.id}`);
    }
  }

  /**
   * Makes a call of a process tree that runs in an agent leaf: its processes are moved, what they have allocated stays charged
   * to the agent. The caller has decided that it is no part of the agent. Undefined when it is gone, or in a call already.
   * Throws ACG_FOREIGN_SESSION, CgroupFileError.
   */
  adopt(pid: number): Call | undefined {
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
      command: redactor(this.policy.config.record)(command),
      cwd,
      via: 'adopted',
      shim: root,
      background: false,
    });
    const call = this.#start(session, kept, 0);
    this.policy.send({ type: 'call-start', call: call.id, session: session.id, hint, class: commandClass(command) });
    moveTree(pid, session.agent, call.cgroup, session.kept.oomScoreAdj);
    const text = `process ${pid} was running beside the agent without a shell: made a call of its own`;
    this.#traces.write(session.id, {
      type: 'event',
      session: session.id,
      call: call.id,
      t: kept.start,
      kind: 'adopted',
      text,
    });
    this.#watch(session, call);
    this.watchAdopted(session, call);
    return call;
  }

  /** An adopted call ends with the process it began with; nobody knows with what status. */
  watchAdopted(session: Session, call: Call): void {
    const ended = () => {
      if (call.state === 'running' && session.state === 'running') this.#shellEnded(session, call, null, null);
    };
    if (call.kept.shim) onGone(call.kept.shim, ended);
  }

  /** Puts a call that an earlier daemon opened under this engine's care. */
  takeCall(session: Session, call: Call): void {
    session.calls.set(call.id, call);
    session.records.delete(call.id);
    // whatever the last daemon had paused: its reasons are gone with it
    if (call.cgroup.read('cgroup.freeze')) call.cgroup.write('cgroup.freeze', false);
    const { command, environment } = { command: call.kept.command ?? '', environment: undefined };
    const { hint } = hintOf({ command, environment });
    const startedAt = performance.now() - (Date.now() - call.kept.start);
    this.policy.send({
      type: 'call-start',
      call: call.id,
      session: session.id,
      hint,
      class: commandClass(command),
      startedAt,
    });
    this.#watch(session, call);
  }

  /**
   * The shell has ended. Returns what the agent is told on stderr, possibly nothing, without waiting; the call is finished
   * afterwards, or lives on in the background as long as it holds a process.
   */
  ended(session: Session, call: Call, ended: Ended): string {
    const { exitCode, signal } = decodeWaitStatus(ended.status);
    const feedback = this.#shellEnded(session, call, exitCode, signal);
    if (!feedback) return '';
    return call.kept.feedbackAs === 'json' ? JSON.stringify({ agentcgroup: feedback }) : feedbackText(feedback);
  }

  #shellEnded(session: Session, call: Call, exitCode: number | null, signal: string | null): Feedback | undefined {
    call.shellEnded(exitCode, signal);
    call.feedback = this.#feedback(call, exitCode !== 0);
    setImmediate(() => this.settle(session, call).catch((error) => this.#report(error, `finish call ${call.id}`)));
    return call.feedback;
  }

  /** The command of a call that was opened by data has ended. Of one that was killed meanwhile, the record as it is. Throws ACG_NO_CALL. */
  endCall(id: string, { exitCode, signal, isError }: z.output<typeof CallEnd>): CallStatus {
    const session = this.sessions.get(id.slice(0, id.lastIndexOf('.')));
    const logged = session?.logged.get(id);
    if (session && logged) {
      session.logged.delete(id);
      const end = Date.now();
      const record = measured<CallRecord>({ ...logged, end, durationMs: end - logged.start, isError });
      session.done++;
      session.remember(record);
      this.#traces.write(session.id, record);
      return { ...record, state: 'ended' };
    }
    const call = session?.calls.get(id);
    if (!session || call?.state !== 'running') return this.callStatus(id);
    if (call.kept.via !== 'sdk' && call.kept.via !== 'mcp')
      throw new AcgError('ACG_BAD_REQUEST', `${id} is not the caller's to end`);
    if (signal !== null) signalNumber(signal as NodeJS.Signals);
    this.#shellEnded(session, call, exitCode, signal);
    // settled in a moment: the answer is of what will come of it
    return { ...this.#status(session, call), state: call.cgroup.populated() ? 'background' : 'ended' };
  }

  #feedback(call: Call, failed: boolean): Feedback | undefined {
    call.pauses = this.policy.call(call.id)?.pauses ?? call.pauses;
    const oomKilled = call.oomKills() > 0;
    if (oomKilled) call.killedBy ??= 'oom';
    const paused = call.pauses.throttledMs + call.pauses.frozenMs + (call.kept.heldMs ?? 0) > 0;
    // nothing happened: spare the reading of counters
    if (!oomKilled && !failed && !paused) return undefined;
    const record = call.record('', 'default');
    const { pausedAtLeast, heldAtLeast } = this.policy.config.feedback;
    const facts = {
      oomKilled,
      pidsLimited: failed && call.pidsLimited(),
      // unknown of what was adopted
      exitStatus: record.signal ? 128 + signalNumber(record.signal as NodeJS.Signals) : record.exitCode,
      peakBytes: record.peakBytes,
      limitBytes: record.limitBytes,
      pidsMax: this.policy.call(call.id)?.pidsMax,
      timeLimitMs: this.policy.config.call.timeLimit,
      process: record.peakProcess,
      command: call.kept.command,
      ...call.pauses,
      heldMs: call.kept.heldMs,
      killedBy: call.killedBy,
      reason: call.killReason,
    };
    return feedbackFor(facts, { pausedAtLeast, heldAtLeast });
  }

  /** After the end of the shell: finishes an empty call, keeps one with processes as a background call. */
  async settle(session: Session, call: Call): Promise<void> {
    if (call.state === 'ended' || session.state !== 'running') return;
    if (call.cgroup.populated()) {
      call.state = 'background';
      call.kept.background = true;
      call.keep();
      this.policy.send({ type: 'call-background', call: call.id });
      this.#traces.write(session.id, call.record(session.id, session.kept.tenant));
      await call.cgroup.waitEmpty();
    }
    if (session.state === 'running') await this.finish(session, call);
  }

  /** The shim is gone without a word (agents kill the process group at their own time limit): the call goes with it. */
  shimLost(session: Session, call: Call): void {
    if (call.state !== 'running' || session.state !== 'running') return;
    call.killedBy ??= 'agent';
    this.#kill(session, call).catch((error) => this.#report(error, `end call ${call.id}`));
  }

  /** Ends one call as a whole, background processes included, and resolves with its record. Throws ACG_NO_CALL. */
  killCall(id: string): Promise<CallRecord> {
    const found = this.findCall(id);
    if (!found) throw new AcgError('ACG_NO_CALL', id);
    found.call.killedBy ??= 'session';
    this.#kill(found.session, found.call).catch((error) => this.#report(error, `kill call ${id}`));
    return found.call.ended.promise;
  }

  #killForPolicy(id: string, reason: KillReason): void {
    const found = this.findCall(id);
    if (!found) return;
    found.call.killedBy ??= reason === 'time' ? 'limit' : 'ladder';
    found.call.killReason = reason;
    this.#kill(found.session, found.call).catch((error) => this.#report(error, `kill call ${id}`));
  }

  async #kill(session: Session, call: Call): Promise<void> {
    call.cgroup.kill();
    await call.cgroup.waitEmpty();
    // a shim that is there reports the end itself, with the exit status
    if (!call.attached || call.state === 'background') await this.finish(session, call);
  }

  /** Writes the record and removes the cgroup of a call that holds no process any more. Twice is once. */
  async finish(session: Session, call: Call): Promise<void> {
    if (call.state === 'ended') return;
    // a call that ended while no daemon was there, without leaving a note, ended in a way nobody knows
    if (call.kept.exitCode === undefined) call.shellEnded(null, call.killedBy ? 'SIGKILL' : null);
    call.pauses = this.policy.call(call.id)?.pauses ?? call.pauses;
    const record = call.record(session.id, session.kept.tenant);
    call.state = 'ended';
    call.unwatch();
    session.calls.delete(call.id);
    session.done++;
    if (record.killedBy !== undefined) session.killed++;
    session.remember(record);
    this.#traces.write(session.id, record);
    // the cgroup goes after its record is kept: a daemon that dies in between leaves it for the next one to record
    await Promise.all([this.#traces.flush(session.id), this.policy.callEnded(call.id, call.cgroup)]);
    await call.cgroup.remove();
    call.ended.resolve(record);
  }

  #cgroupOf(target: Target): Cgroup | undefined {
    switch (target.kind) {
      case 'tenant':
        return this.root.cgroup.child(tenantName(target.tenant));
      case 'session':
        return this.sessions.get(target.session)?.cgroup;
      case 'agent':
        return this.sessions.get(target.session)?.agent;
      case 'call':
        return this.findCall(target.call)?.call.cgroup;
    }
  }

  #explain(explanation: Explanation): void {
    this.#explained(explanation);
    const { call: id, session: of, text } = explanation;
    const t = Date.now() - (performance.now() - explanation.t);
    if (id !== undefined) this.findCall(id)?.call.explanations.push({ t, text });
    const session = of ?? (id === undefined ? undefined : id.slice(0, id.lastIndexOf('.')));
    if (session === undefined || !this.sessions.has(session)) return;
    const about = { session, ...(id !== undefined && { call: id }) };
    const data = explanation.observed ? { observed: true } : {};
    this.#traces.write(session, { type: 'event', ...about, t, kind: explanation.decision, text, data });
  }

  findCall(id: string): { session: Session; call: Call } | undefined {
    // ids are SESSION.NUMBER, and session names may hold dots
    const session = this.sessions.get(id.slice(0, id.lastIndexOf('.')));
    const call = session?.calls.get(id);
    return session && call && { session, call };
  }

  /** A call by its id, running or ended. Throws ACG_NO_CALL. */
  callStatus(id: string): CallStatus {
    const found = this.findCall(id);
    if (found) return this.#status(found.session, found.call);
    const record = this.sessions.get(id.slice(0, id.lastIndexOf('.')))?.records.get(id);
    if (!record) throw new AcgError('ACG_NO_CALL', id);
    return { ...record, state: 'ended' };
  }

  /** Calls of all sessions or of one, in the order of their start. */
  callStatuses(filter: {
    session?: string | undefined;
    running?: boolean | undefined;
    agentCallId?: string | undefined;
  }): CallStatus[] {
    const found: CallStatus[] = [];
    for (const session of this.sessions.values()) {
      if (filter.session !== undefined && filter.session !== session.id) continue;
      if (!filter.running) for (const record of session.records.values()) found.push({ ...record, state: 'ended' });
      for (const call of session.calls.values()) found.push(this.#status(session, call));
    }
    const { agentCallId } = filter;
    const wanted = agentCallId === undefined ? found : found.filter((call) => call.agentCallId === agentCallId);
    return wanted.sort((a, b) => a.start - b.start);
  }

  #status(session: Session, call: Call): CallStatus {
    return measured<CallStatus>({
      ...call.record(session.id, session.kept.tenant),
      state: call.state,
      memoryBytes: this.controllers.has('memory') ? call.cgroup.read('memory.current') : undefined,
      cgroup: call.cgroup.path,
    });
  }

  /** Stops watching; the sessions live on for the next daemon. */
  async release(): Promise<void> {
    this.policy.close();
    for (const watch of this.#owners.values()) watch.close();
    this.#owners.clear();
    for (const session of this.sessions.values()) for (const call of session.calls.values()) call.unwatch();
    await this.#traces.closeAll();
  }
}
