import { AcgError, type CallRecord, type Feedback, redactCommand } from '../../model/index.ts';
import { CgroupFileError } from '../cgroup/index.ts';
import type { Ended } from '../intercept/index.ts';
import { signalNumber } from '../native/index.ts';
import { commandClass, feedbackFor, feedbackText, hintOf, hintRecord, type KillReason } from '../policy/index.ts';
import type { Asked } from './asked.ts';
import { Call, type Controllers, createCallCgroup } from './call.ts';
import type { KeptCall } from './kept.ts';
import type { PolicyDriver } from './policy-driver.ts';
import { decodeWaitStatus, onGone } from './processes.ts';
import { delegate, type Session } from './session.ts';
import type { TraceStore } from './trace-store.ts';
import { measured, policyUsage, readUsage } from './usage.ts';

/** A throttled call moves memory.events with every batch of pages: the policy hears of it no more often than this. */
const BREACH_EVERY_MS = 20;
/** The tool of the shells that the agent's model asked for. */
const MODELS_SHELL: Asked['tool'] = 'Bash';
/** Background calls that a session still has to be told about, at most. */
const MAX_UNTOLD = 8;
const KILLS: ReadonlySet<Feedback['kind']> = new Set(['oom', 'ceiling', 'pids', 'time']);
/** Killed processes are given so long to be gone before what is left of a call counts as running in the background. */
const DYING_MS = 5000;
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

/** A call that has asked to start and has no answer yet. */
interface Waiting {
  session: Session;
  explanations: { t: number; text: string }[];
  start(): void;
  refuse(error: AcgError): void;
}

/** What becomes of calls, from the question whether they may start to the removal of their cgroups. */
export class CallLifecycle {
  readonly #controllers: Controllers;
  readonly #policy: PolicyDriver;
  readonly #traces: TraceStore;
  readonly #report: (error: unknown, doing: string) => void;
  readonly #waiting = new Map<string, Waiting>();
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
    this.#traces = traces;
    this.#report = report;
  }

  /** The policy lets a waiting call in. */
  admit(call: string): void {
    this.#waiting.get(call)?.start();
  }

  /** The policy turns a waiting call away. */
  refuse(call: string, text: string): void {
    this.#waiting.get(call)?.refuse(new AcgError('ACG_LIMIT', text));
  }

  /** No call of this session starts any more. */
  refuseAll(session: Session): void {
    for (const waiting of this.#waiting.values())
      if (waiting.session === session) waiting.refuse(new AcgError('ACG_NO_SESSION', `${session.id} is ending`));
  }

  /** Why something was decided about a call that still waits. False when it does not wait. */
  explain(call: string, explanation: { t: number; text: string }): boolean {
    const waiting = this.#waiting.get(call);
    waiting?.explanations.push(explanation);
    return waiting !== undefined;
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
    const call = await this.#admitted(session, kept, signal, () =>
      this.#policy.send({
        type: 'call-request',
        call: kept.call,
        session: session.id,
        hint,
        class: commandClass(command),
      }),
    );
    // off the way of the answer: the first breach is not due for a while, and the next call neither
    setImmediate(() => {
      this.watch(session, call);
      this.prepare(session);
    });
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
        this.#policy.send({ type: 'call-cancel', call: kept.call });
        reject(new AcgError('ACG_NO_CALL', `${kept.call} was given up while it waited`));
      });
    const explanations: Waiting['explanations'] = [];
    this.#waiting.set(kept.call, {
      session,
      explanations,
      refuse: (error) => settle(() => reject(error)),
      start: () =>
        settle(() => {
          try {
            const call = this.start(session, kept, performance.now() - asked);
            call.explanations.push(...explanations);
            resolve(call);
          } catch (error) {
            this.#policy.send({ type: 'call-end', call: kept.call });
            reject(error);
          }
        }),
    });
    ask();
    if (this.#waiting.has(kept.call)) signal.addEventListener('abort', takeBack);
    return promise;
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
    // an answer in the same step is no wait
    if (waitedMs >= 1 && Date.now() - kept.start >= 1) kept.heldMs = Math.round(waitedMs);
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
    if (call.attached || call.cgroup.populated() || (call.cgroup.read('cpu.stat')?.usageUsec ?? 0) > 0) return false;
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
    session.records.delete(call.id);
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
    });
    this.watch(session, call);
  }

  /** An adopted call ends with the process it began with; nobody knows with what status. */
  watchAdopted(session: Session, call: Call): void {
    const ended = () => {
      if (call.state === 'running' && session.state === 'running') this.shellEnded(session, call, null, null);
    };
    if (call.kept.shim) onGone(call.kept.shim, ended);
  }

  /**
   * The shell has ended. Returns what the agent is told on stderr, possibly nothing, without waiting; the call is finished
   * afterwards, or lives on in the background as long as it holds a process.
   */
  ended(session: Session, call: Call, ended: Ended): string {
    const { exitCode, signal } = decodeWaitStatus(ended.status);
    const feedback = this.shellEnded(session, call, exitCode, signal);
    // the model reads what its own calls say, not the agent's start-up shells and hooks
    const untold = call.kept.tool === MODELS_SHELL ? session.untold.splice(0) : [];
    const told = feedback ? [...untold, feedback] : untold;
    const json = call.kept.feedbackAs === 'json';
    return told.map((f) => (json ? `${JSON.stringify({ agentcgroup: f })}\n` : feedbackText(f))).join('');
  }

  /** What was killed in the background has nobody to tell: its session's next call does. */
  #tellLater(session: Session, call: Call): void {
    if (call.killedBy === undefined && call.oomKills() === 0) return;
    // told already, when its shell ended
    if (call.feedback && KILLS.has(call.feedback.kind)) return;
    call.feedback = this.#feedback(call, true);
    if (call.feedback) session.untold = [...session.untold, call.feedback].slice(-MAX_UNTOLD);
  }

  /** The command has ended; the same for calls whose end is not told by a shim. Returns what the agent is told. */
  shellEnded(session: Session, call: Call, exitCode: number | null, signal: string | null): Feedback | undefined {
    call.shellEnded(exitCode, signal);
    call.feedback = this.#feedback(call, exitCode !== 0);
    setImmediate(() => this.settle(session, call).catch((error) => this.#report(error, `finish call ${call.id}`)));
    return call.feedback;
  }

  /** What the agent is told, from what is known of the end. */
  #feedback(call: Call, failed: boolean): Feedback | undefined {
    call.pauses = this.#policy.call(call.id)?.pauses ?? call.pauses;
    const oomKilled = call.oomKills() > 0;
    if (oomKilled) call.killedBy ??= 'oom';
    const paused = call.pauses.throttledMs + call.pauses.frozenMs + (call.kept.heldMs ?? 0) > 0;
    // nothing happened: spare the reading of counters
    if (!oomKilled && !failed && !paused) return undefined;
    const record = call.record('', 'default');
    const { feedback: thresholds, call: limits } = this.#policy.config;
    const facts = {
      oomKilled,
      pidsLimited: failed && call.pidsLimited(),
      // unknown of what was adopted
      background: call.state === 'background',
      exitStatus:
        call.state === 'background'
          ? undefined
          : record.signal
            ? 128 + signalNumber(record.signal as NodeJS.Signals)
            : record.exitCode,
      peakBytes: record.peakBytes,
      limitBytes: record.limitBytes,
      pidsMax: this.#policy.call(call.id)?.pidsMax,
      timeLimitMs: call.state === 'background' ? limits.backgroundLimit : limits.timeLimit,
      process: record.peakProcess,
      command: call.kept.command,
      ...call.pauses,
      heldMs: call.kept.heldMs,
      killedBy: call.killedBy,
      reason: call.killReason,
    };
    return feedbackFor(facts, thresholds);
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

  /** The shim is gone without a word (agents kill the process group at their own time limit): the call goes with it. */
  shimLost(session: Session, call: Call): void {
    if (call.state !== 'running' || session.state !== 'running') return;
    this.kill(session, call, 'agent');
  }

  /** Kills a call on somebody's behalf; `finish` follows. Returns at once. */
  kill(session: Session, call: Call, by: NonNullable<CallRecord['killedBy']>, reason?: KillReason): void {
    call.killedBy ??= by;
    call.killReason ??= reason;
    this.#kill(session, call).catch((error) => this.#report(error, `kill call ${call.id}`));
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
    this.beforeRecord();
    if (call.state === 'background') this.#tellLater(session, call);
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
    if (!call.cgroup.tryRemove()) await call.cgroup.remove();
    call.ended.resolve(record);
  }
}

function ifNotTimeout(error: unknown): void {
  if (!(error instanceof DOMException && error.name === 'TimeoutError')) throw error;
}
