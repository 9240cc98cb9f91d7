import { type CallRecord, type CallStatus, type Feedback, formatSize } from '../../model/index.ts';
import { type Cgroup, callName } from '../cgroup/index.ts';
import { setXattr } from '../native/index.ts';
import { CALL_XATTR, type KeptCall } from './kept.ts';
import type { CallLimits } from './limits.ts';
import { callUsage, measured } from './usage.ts';

/** A tool call under way: its cgroup, what is kept of it, and what only its end can tell. */
export class Call {
  readonly cgroup: Cgroup;
  kept: KeptCall;
  state: CallStatus['state'] = 'running';
  /** A shim is connected and will report the end. */
  attached = false;
  /** The largest process seen by the sampler. */
  peakProcess: { comm: string; rssBytes: number } | undefined;
  killedBy: CallRecord['killedBy'] | undefined;
  feedback: Feedback | undefined;
  /** Settles when the call's cgroup is gone and its record written. */
  readonly ended = Promise.withResolvers<CallRecord>();
  readonly #controllers: Controllers;
  readonly #beginMonotonic = performance.now();
  #end: { t: number; durationMs: number } | undefined;

  constructor(cgroup: Cgroup, kept: KeptCall, controllers: Controllers) {
    this.cgroup = cgroup;
    this.kept = kept;
    this.#controllers = controllers;
  }

  get id(): string {
    return this.kept.call;
  }

  /** Notes `kept` where the next daemon will find it. */
  keep(): void {
    setXattr(this.cgroup.path, CALL_XATTR, JSON.stringify(this.kept));
  }

  /** The shell has ended; what it started may live on. */
  shellEnded(exitCode: number | null, signal: string | null, t = Date.now()): void {
    const lived = performance.now() - this.#beginMonotonic;
    // after a daemon restart the monotonic beginning is unknown: the wall clock has to do
    const durationMs = this.kept.start < t - lived - 1000 ? t - this.kept.start : lived;
    this.#end = { t, durationMs };
    this.kept = { ...this.kept, exitCode, signal };
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
        type: 'call',
        call: kept.call,
        session,
        tenant,
        tool: kept.tool,
        command: kept.command,
        cwd: kept.cwd,
        agentCallId: kept.agentCallId,
        agentSessionId: kept.agentSessionId,
        via: kept.via,
        start: kept.start,
        end: this.#end?.t,
        durationMs: this.#end?.durationMs,
        exitCode: this.#end && (kept.exitCode ?? null),
        signal: this.#end && (kept.signal ?? null),
        limitBytes: kept.limitBytes,
        background: kept.background,
        peakProcess: this.peakProcess,
        killedBy: this.killedBy,
        feedback: this.feedback,
      }),
      ...callUsage(this.cgroup, this.#controllers),
    };
  }
}

/** Controllers that calls have here: what needs another one is neither set nor read, which is known once and for all calls. */
export type Controllers = ReadonlySet<string>;

/** Makes the cgroup of call `number` beside the agent leaf and sets its ceilings. When anything fails the cgroup is removed again. */
export function createCallCgroup(
  session: Cgroup,
  number: number,
  limits: CallLimits,
  controllers: Controllers,
): Cgroup {
  const cgroup = session.create(callName(number));
  try {
    if (controllers.has('pids')) cgroup.write('pids.max', limits.pids);
    if (controllers.has('memory')) {
      // the call is killed as a whole, and only the call
      cgroup.write('memory.oom.group', true);
      if (limits.memoryMaxBytes !== undefined) {
        cgroup.write('memory.max', limits.memoryMaxBytes);
        cgroup.write('memory.high', limits.memoryHighBytes ?? 'max');
      }
    }
    return cgroup;
  } catch (error) {
    cgroup.tryRemove();
    throw error;
  }
}

/** What the model gets to read on stderr when its call was killed for memory. */
export function oomFeedback(record: CallRecord): Feedback | undefined {
  if (!record.oomKilled) return undefined;
  const peak = record.peakBytes === undefined ? '' : ` after reaching ${formatSize(record.peakBytes)}`;
  const limit = record.limitBytes === undefined ? '' : `; its limit is ${formatSize(record.limitBytes)}`;
  const process =
    record.peakProcess &&
    ` The largest process was ${record.peakProcess.comm} (${formatSize(record.peakProcess.rssBytes)}).`;
  return measured<Feedback>({
    kind: 'oom',
    text: `this command was stopped for memory${peak}${limit}.${process ?? ''} It is a limit, not an error in the code.`,
    advice: 'Do less at once: fewer workers, one file or one test at a time, a smaller input.',
    peakBytes: record.peakBytes,
    limitBytes: record.limitBytes,
    process: record.peakProcess?.comm,
  });
}
