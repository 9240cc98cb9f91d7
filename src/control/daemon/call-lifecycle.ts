import { type AcgError, asAcgError, type CallRecord, type Feedback, redactCommand } from '../../model/index.ts';
import { CgroupFileError } from '../cgroup/index.ts';
import type { Ended } from '../intercept/index.ts';
import { commandClass, hintOf, hintRecord, type KillReason } from '../policy/index.ts';
import { askedFor, Call, type Controllers, createCallCgroup, type Explanations } from './call.ts';
import type { KeptCall } from './kept.ts';
import type { PolicyDriver } from './policy-driver.ts';
import { decodeWaitStatus, onGone } from './processes.ts';
import { delegate, type Session } from './session.ts';
import type { TraceStore } from './trace-store.ts';
import { inForceOf, measured, policyUsage, readUsage } from './usage.ts';
import { WaitingCalls } from './waiting-calls.ts';
import { feedbackOn, tellLater, wordsTo } from './words.ts';

/** A throttled call moves memory.events with every batch of pages: the policy hears of it no more often than this. */
const BREACH_EVERY_MS = 20;
/** Killed processes are given so long to be gone before what is left of a call counts as running in the background. */
const DYING_MS = 5000;
/** Of a call that was given a number and no more. */
const NOTHING_RAN = 'nothing of it ran under control';

type KilledBy = NonNullable<CallRecord['killedBy']>;

/** What is known of a call before it begins, whichever way it came. */
export interface Beginning {
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

/** What becomes of calls, from the question whether they may start to the removal of their cgroups. */
export class CallLifecycle {
  readonly #controllers: Controllers;
  readonly #policy: PolicyDriver;
  readonly #traces: TraceStore;
  readonly #report: (error: unknown, doing: string) => void;
  /** Calls that have asked to start and have no answer yet. */
  readonly waiting: WaitingCalls;
  /** Called before a record is taken: what the kernel has told and nobody has heard yet. */
  beforeRecord: () => void = () => {};
  /** Calls that ended since this daemon started, by who ended them; `done`: they themselves. */
  readonly endings = new Map<string, number>();

  constructor(
    controllers: Controllers,
    policy: PolicyDriver,
    traces: TraceStore,
    report: (error: unknown, doing: string) => void,
  ) {
    this.#controllers = controllers;
    this.#policy = policy;
    this.waiting = new WaitingCalls(policy);
    this.#traces = traces;
    this.#report = report;
  }

  /** What every way in has in common: the record is begun, the hint read, the policy asked, the cgroup made. */
  async begin(session: Session, beginning: Beginning, signal: AbortSignal): Promise<Call> {
    const { command, environmentHint, feedbackAs, holder } = beginning;
    const { hint, errors } = hintOf({ environment: environmentHint, command });
    const number = session.nextCall();
    const kept = measured<KeptCall>({
      version: 1,
      call: `${session.id}.${number}`,
      number,
      start: Date.now(),
      tool: beginning.tool,
      command: redactCommand(command, this.#policy.config.record),
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
    const request = {
      type: 'call-request',
      call: kept.call,
      session: session.id,
      hint,
      class: commandClass(command),
    } as const;
    const explanations: Explanations = [];
    const make = (waitedMs: number) => this.start(session, kept, waitedMs);
    const call = await this.waiting.ask(session, request, explanations, make, signal).catch((error: unknown) => {
      this.#neverBegan(session, kept, explanations, asAcgError(error));
      throw error;
    });
    // off the way of the answer: the first breach is not due for a while, and the next call neither
    setImmediate(() => {
      this.watch(session, call);
      this.prepare(session);
    });
    return call;
  }

  /** A call that was not let in, or given up before it was, leaves a record all the same: its number is not given again. */
  #neverBegan(session: Session, kept: KeptCall, before: Explanations, { detail, message }: AcgError): void {
    const end = Date.now();
    const durationMs = Math.max(0, end - kept.start);
    const record = measured<CallRecord>({
      ...askedFor(kept, session.id, session.kept.tenant),
      end,
      durationMs,
      exitCode: null,
      signal: null,
      heldMs: durationMs || undefined,
      explanations: [...before, { t: end, text: `${NOTHING_RAN}: ${detail || message}` }],
    });
    session.done++;
    session.remember(record);
    this.#traces.write(session.id, record);
  }

  /** Has the cgroup of the session's next call ready. */
  prepare(session: Session): void {
    if (session.state !== 'running') return;
    try {
      session.spare.make(session.lastCall + 1, this.#controllers);
    } catch (error) {
      // a session that is going; and what cannot be made ahead is made when it is needed, and reported then
      if (!(error instanceof CgroupFileError)) throw error;
    }
  }

  /** Makes the call's cgroup, and the call. */
  start(session: Session, kept: KeptCall, waitedMs: number): Call {
    const ready = session.spare.take(kept.number);
    const cgroup = ready?.cgroup ?? createCallCgroup(session.cgroup, kept.number, this.#controllers);
    const call = new Call(cgroup, kept, this.#controllers, ready?.fd);
    if (waitedMs > 0) kept.heldMs = Math.max(1, Math.round(waitedMs));
    try {
      if (session.kept.uid !== 0) delegate(cgroup, session.kept.uid);
      call.keep();
    } catch (error) {
      call.closeFd();
      cgroup.tryRemove();
      // somebody may have removed what was ready: there is none now, so that this one is made anew
      if (ready) return this.start(session, kept, waitedMs);
      throw error;
    }
    session.calls.set(call.id, call);
    return call;
  }

  /** Has the policy hear of limits met. By now the call has begun: its open directory is needed no more. */
  watch(session: Session, call: Call): void {
    call.closeFd();
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
        if (reading) this.#policy.send({ type: 'breach', target, usage: policyUsage(reading) });
      }
      if (events.oomKill > seen.oomKill) this.#policy.send({ type: 'oom-kill', target });
      seen = events;
    };
    try {
      call.watch(onMemory, () => this.#policy.send({ type: 'pids-breach', call: call.id }));
    } catch (error) {
      this.#report(error, `watch call ${call.id}`);
    }
  }

  /**
   * Takes back a call that was made but never begun: the daemon died before its answer reached the shim, which asks again.
   * It leaves no record. False when something has run in it.
   */
  async discard(session: Session, call: Call): Promise<boolean> {
    if (call.attached || call.begun()) return false;
    call.state = 'ended';
    call.unwatch();
    session.calls.delete(call.id);
    this.#policy.send({ type: 'call-end', call: call.id });
    await call.cgroup.remove();
    return true;
  }

  /** Puts a call that an earlier daemon opened under this engine's care. */
  takeCall(session: Session, call: Call): void {
    session.calls.set(call.id, call);
    const told = session.records.get(call.id);
    if (told) {
      // recorded when it went to the background: it has not ended yet
      session.records.delete(call.id);
      session.done--;
      if (told.killedBy !== undefined) session.killed--;
    }
    // whatever the last daemon had paused: its reasons are gone with it
    if (call.cgroup.read('cgroup.freeze')) call.cgroup.write('cgroup.freeze', false);
    const command = call.kept.command ?? '';
    const { hint } = hintOf({ command });
    const startedAt = performance.now() - (Date.now() - call.kept.start);
    this.#policy.send({
      type: 'call-start',
      call: call.id,
      session: session.id,
      hint,
      class: commandClass(command),
      startedAt,
      inForce: inForceOf(call.cgroup),
    });
    this.watch(session, call);
  }

  /** An adopted call ends with the process it began with; nobody knows with what status. */
  watchAdopted(session: Session, call: Call): void {
    const ended = () => {
      if (call.state === 'running' && session.state === 'running') this.shellEnded(session, call, null, null);
    };
    if (call.kept.shim) call.watchAlso(onGone(call.kept.shim, ended));
  }

  /** A call that a program has opened for a command of its own ends with the program at the latest. */
  watchHolder(session: Session, call: Call): void {
    const gone = () => {
      if (call.kept.end === undefined) this.shimLost(session, call);
    };
    if (call.kept.shim) call.watchAlso(onGone(call.kept.shim, gone));
  }

  /**
   * The shell has ended. Returns what the agent is told on stderr, possibly nothing, without waiting; the call is finished
   * afterwards, or lives on in the background as long as it holds a process.
   */
  ended(session: Session, call: Call, ended: Ended): string {
    const { exitCode, signal } = decodeWaitStatus(ended.status);
    const feedback = this.shellEnded(session, call, exitCode, signal);
    return wordsTo(session, call, feedback);
  }

  /** The command has ended; the same for calls whose end is not told by a shim. Returns what the agent is told. */
  shellEnded(session: Session, call: Call, exitCode: number | null, signal: string | null): Feedback | undefined {
    call.shellEnded(exitCode, signal);
    // nobody reports it twice: a daemon that dies between its answer and the record leaves this to the next one
    this.#note(call, 'the end');
    call.feedback = feedbackOn(call, this.#policy, exitCode !== 0);
    setImmediate(() => this.settle(session, call).catch((error) => this.#report(error, `finish call ${call.id}`)));
    return call.feedback;
  }

  /** After the end of the shell: finishes an empty call, keeps one with processes as a background call. */
  async settle(session: Session, call: Call): Promise<void> {
    if (call.state === 'ended' || session.state !== 'running') return;
    // what is killed as a whole does not end as a whole: the shell may be gone before the largest process
    if (call.killedBy && call.cgroup.populated())
      await call.cgroup.waitEmpty(AbortSignal.timeout(DYING_MS)).catch(ifNotTimeout);
    if (call.cgroup.populated()) {
      call.state = 'background';
      call.kept.background = true;
      call.keep();
      this.#policy.send({ type: 'call-background', call: call.id });
      this.#traces.write(session.id, call.record(session.id, session.kept.tenant));
      await call.cgroup.waitEmpty();
    }
    if (session.state === 'running') await this.finish(session, call);
  }

  /**
   * The shim is gone without a word. As a rule agents have killed the process group at their own time limit: the call goes with it.
   * Or the answer came too late for it: then nobody has killed anything.
   */
  shimLost(session: Session, call: Call): void {
    if (call.state !== 'running' || session.state !== 'running') return;
    if (call.begun()) {
      this.kill(session, call, 'agent');
      return;
    }
    call.explain({ t: Date.now(), text: `${NOTHING_RAN}: who asked for it was gone before anything was started` });
    this.finish(session, call).catch((error) => this.#report(error, `finish call ${call.id}`));
  }

  /** Kills a call on somebody's behalf; `finish` follows. Returns at once. */
  kill(session: Session, call: Call, by: KilledBy, reason?: KillReason): void {
    this.noteKill(call, by, reason);
    this.#kill(session, call).catch((error) => this.#report(error, `kill call ${call.id}`));
  }

  /** To be said before a call is killed: who does it, and why. The first to do it has done it. */
  noteKill(call: Call, by: KilledBy, reason?: KillReason): void {
    call.killedBy ??= by;
    call.killReason ??= reason;
    call.kept = measured<KeptCall>({ ...call.kept, killedBy: call.killedBy, killReason: call.killReason });
    this.#note(call, 'the kill');
  }

  #note(call: Call, what: string): void {
    try {
      call.keep();
    } catch (error) {
      this.#report(error, `note ${what} of call ${call.id}`);
    }
  }

  async #kill(session: Session, call: Call): Promise<void> {
    call.cgroup.kill();
    await call.cgroup.waitEmpty();
    // a shim that is there reports the end itself, with the exit status
    if (!(call.attached || call.awaited) || call.state === 'background') await this.finish(session, call);
  }

  /** Writes the record and removes the cgroup of a call that holds no process any more. Twice is once. */
  async finish(session: Session, call: Call): Promise<void> {
    if (call.state === 'ended') return;
    // a call that ended while no daemon was there, without leaving a note, ended in a way nobody knows
    if (call.kept.exitCode === undefined) {
      call.shellEnded(null, call.killedBy ? 'SIGKILL' : null);
      // a program that started the command itself finds in the record what to tell its model
      if (call.kept.via === 'sdk' || call.kept.via === 'mcp') call.feedback = feedbackOn(call, this.#policy, true);
    }
    this.beforeRecord();
    if (call.state === 'background') tellLater(session, call, this.#policy);
    call.pauses = this.#policy.call(call.id)?.pauses ?? call.pauses;
    const record = call.record(session.id, session.kept.tenant);
    call.state = 'ended';
    call.unwatch();
    session.calls.delete(call.id);
    session.done++;
    if (record.killedBy !== undefined) session.killed++;
    const end = record.killedBy ?? 'done';
    this.endings.set(end, (this.endings.get(end) ?? 0) + 1);
    session.remember(record);
    this.#traces.write(session.id, record);
    // the cgroup goes after its record is kept: a daemon that dies in between leaves it for the next one to record
    await Promise.all([this.#traces.flush(session.id), this.#policy.callEnded(call.id, call.cgroup)]);
    // one rmdir as a rule; a call that made cgroups of its own takes longer
    try {
      if (!call.cgroup.tryRemove()) await call.cgroup.remove();
    } finally {
      call.ended.resolve(record);
    }
  }
}

function ifNotTimeout(error: unknown): void {
  if (!(error instanceof DOMException && error.name === 'TimeoutError')) throw error;
}
