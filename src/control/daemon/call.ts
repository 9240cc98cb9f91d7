import { closeSync } from 'node:fs';
import type { CallRecord, CallStatus, Feedback } from '../../model/index.ts';
import { type Cgroup, callName } from '../cgroup/index.ts';
import { setXattr } from '../native/index.ts';
import type { KillReason } from '../policy/index.ts';
import { CALL_XATTR, type KeptCall } from './kept.ts';
import { callUsage, measured } from './usage.ts';

/** In a record, at most. */
const MOST_EXPLANATIONS = 500;

export type Explanations = NonNullable<CallRecord['explanations']>;

/** A tool call under way: its cgroup, what is kept of it, and what only its end can tell. */
export class Call {
  readonly cgroup: Cgroup;
  kept: KeptCall;
  state: CallStatus['state'] = 'running';
  /** A shim is connected and will report the end. */
  attached = false;
  /** An earlier daemon's shim that lives and has not spoken up here yet: it will, and report the end. */
  awaited = false;
  /** The largest process seen by the sampler. */
  peakProcess: { comm: string; rssBytes: number } | undefined;
  killedBy: CallRecord['killedBy'];
  /** Why the policy killed it. */
  killReason: KillReason | undefined;
  pauses = { throttledMs: 0, frozenMs: 0 };
  #explanations: Explanations = [];
  #watches: { close(): void }[] = [];
  feedback: Feedback | undefined;
  /** Settles when the call's cgroup is gone and its record written. */
  readonly ended = Promise.withResolvers<CallRecord>();
  readonly #controllers: Controllers;
  /** When it was asked for, on the monotonic clock. */
  readonly #begin: number;
  #end: { t: number; durationMs: number } | undefined;
  /** Its directory, as long as it is open from its making. */
  #fd: number | undefined;

  constructor(cgroup: Cgroup, kept: KeptCall, controllers: Controllers, fd?: number) {
    this.cgroup = cgroup;
    this.kept = kept;
    this.#controllers = controllers;
    this.#fd = fd;
    this.#begin = performance.now() - Math.max(0, Date.now() - kept.start);
    this.killedBy = kept.killedBy;
    this.killReason = kept.killReason;
    // an earlier daemon heard of it
    if (kept.end !== undefined) this.#end = { t: kept.end, durationMs: Math.max(0, kept.end - kept.start) };
  }

  /** Runs `use` with the open directory of the cgroup. */
  withFd<T>(use: (fd: number) => T): T {
    return this.#fd === undefined ? this.cgroup.withFd(use) : use(this.#fd);
  }

  /** Closes the directory if it is still open from the call's making. */
  closeFd(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  get id(): string {
    return this.kept.call;
  }

  /** Notes what was decided about it, and why. What lives for days is decided about often: the latest are kept, the trace has all. */
  explain(...more: Explanations): void {
    this.#explanations.push(...more);
    if (this.#explanations.length > 2 * MOST_EXPLANATIONS)
      this.#explanations = this.#explanations.slice(-MOST_EXPLANATIONS);
  }

  /** Does anything run in it, or has run? */
  begun(): boolean {
    return this.cgroup.populated() || (this.cgroup.read('cpu.stat')?.usageUsec ?? 0) > 0;
  }

  /** Notes `kept` where the next daemon will find it. */
  keep(): void {
    setXattr(this.cgroup.path, CALL_XATTR, JSON.stringify(this.kept));
  }

  /** The shell has ended, now or at `then` (epoch ms); what it started may live on. */
  shellEnded(exitCode: number | null, signal: string | null, then?: number): void {
    const durationMs = then === undefined ? performance.now() - this.#begin : then - this.kept.start;
    const t = then ?? Date.now();
    this.#end = { t, durationMs: Math.max(0, durationMs) };
    this.kept = { ...this.kept, exitCode, signal, end: t };
  }

  /** The hard ceiling that stands now. */
  #limit(): number | undefined {
    const limit = this.#controllers.has('memory') ? this.cgroup.read('memory.max') : undefined;
    return limit === 'max' ? undefined : limit;
  }

  /** Calls back when the kernel notifies one of the call's counters of limits met, until `unwatch`. */
  watch(onMemory: () => void, onPids: () => void): void {
    if (this.state !== 'running' || !this.cgroup.exists()) return;
    if (this.#controllers.has('memory')) this.#watches.push(this.cgroup.watch('memory.events', onMemory));
    if (this.#controllers.has('pids')) this.#watches.push(this.cgroup.watch('pids.events', onPids));
  }

  /** This one too is closed with the call. */
  watchAlso(watch: { close(): void }): void {
    if (this.state === 'ended') watch.close();
    else this.#watches.push(watch);
  }

  unwatch(): void {
    for (const watch of this.#watches.splice(0)) watch.close();
  }

  /** Did a fork fail at the limit of processes? */
  pidsLimited(): boolean {
    return this.#controllers.has('pids') && (this.cgroup.read('pids.events')?.max ?? 0) > 0;
  }

  /** Processes of this call that the OOM killer took so far. */
  oomKills(): number {
    return this.#controllers.has('memory') ? (this.cgroup.read('memory.events')?.oomKill ?? 0) : 0;
  }

  /** The record so far; complete once the call has ended. Reads the cgroup's counters, so take it before the cgroup goes. */
  record(session: string, tenant: string): CallRecord {
    const { kept } = this;
    return {
      ...measured<CallRecord>({
        ...askedFor(kept, session, tenant),
        end: this.#end?.t,
        durationMs: this.#end?.durationMs,
        exitCode: this.#end && (kept.exitCode ?? null),
        signal: this.#end && (kept.signal ?? null),
        limitBytes: this.#limit(),
        background: kept.background,
        peakProcess: this.peakProcess,
        killedBy: this.killedBy,
        feedback: this.feedback,
        heldMs: kept.heldMs,
        throttledMs: this.pauses.throttledMs || undefined,
        frozenMs: this.pauses.frozenMs || undefined,
        explanations: this.#explanations.length > 0 ? this.#explanations.slice(-MOST_EXPLANATIONS) : undefined,
      }),
      ...callUsage(this.cgroup, this.#controllers),
    };
  }
}

/** What a record says of a call from its beginning. */
export function askedFor(kept: KeptCall, session: string, tenant: string): CallRecord {
  const { call, tool, command, cwd, agentCallId, agentSessionId, via, start, hint, hintErrors } = kept;
  const asked = { tool, command, cwd, agentCallId, agentSessionId, via, start, hint, hintErrors };
  return measured<CallRecord>({ type: 'call', call, session, tenant, ...asked });
}

/** Controllers that calls have here: what needs another one is neither set nor read, which is known once and for all calls. */
export type Controllers = ReadonlySet<string>;

/**
 * Makes the cgroup of call `number` beside the agent leaf, killed as a whole or not at all by the OOM killer. Its ceilings
 * are the policy's business.
 */
export function createCallCgroup(session: Cgroup, number: number, controllers: Controllers): Cgroup {
  const cgroup = session.create(callName(number));
  try {
    if (controllers.has('memory')) cgroup.write('memory.oom.group', true);
    return cgroup;
  } catch (error) {
    cgroup.tryRemove();
    throw error;
  }
}
