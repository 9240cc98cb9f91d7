import type { z } from 'zod';
import {
  AcgError,
  type CallEnd,
  type CallRecord,
  type CallRequest,
  type CallStatus,
  redactCommand,
} from '../../model/index.ts';
import { signalNumber } from '../native/index.ts';
import type { CallLifecycle } from './call-lifecycle.ts';
import type { CallStatuses } from './call-statuses.ts';
import type { PolicyDriver } from './policy-driver.ts';
import { identify } from './processes.ts';
import type { Session } from './session.ts';
import type { TraceStore } from './trace-store.ts';
import { measured } from './usage.ts';

/** Requests to MCP servers that have no answer yet, in one session. */
const MOST_LOGGED = 1024;

/** Calls of programs that start their commands themselves (SDK, MCP): opened and ended by the API, with a cgroup or as a record only. */
export class CallsByData {
  readonly #sessions: ReadonlyMap<string, Session>;
  readonly #calls: CallLifecycle;
  readonly #statuses: CallStatuses;
  readonly #policy: PolicyDriver;
  readonly #traces: TraceStore;

  constructor(
    sessions: ReadonlyMap<string, Session>,
    calls: CallLifecycle,
    statuses: CallStatuses,
    policy: PolicyDriver,
    traces: TraceStore,
  ) {
    this.#sessions = sessions;
    this.#calls = calls;
    this.#statuses = statuses;
    this.#policy = policy;
    this.#traces = traces;
  }

  /**
   * Opens a call for a program that will start its command itself and tell the end by `end`. `holderPid`: when that
   * process is gone without a word, the call goes with it. Throws ACG_NO_SESSION, ACG_LIMIT, CgroupFileError.
   */
  async open(
    sessionId: string,
    request: z.output<typeof CallRequest>,
    holderPid: number,
    signal: AbortSignal,
  ): Promise<CallStatus> {
    const session = this.#sessions.get(sessionId);
    if (session?.state !== 'running') throw new AcgError('ACG_NO_SESSION', sessionId);
    if (!request.contained) return this.#log(session, request);
    const { command = request.tool, hint: environmentHint, ...rest } = request;
    const holder = identify(holderPid);
    const call = await this.#calls.begin(session, { ...rest, command, environmentHint, holder }, signal);
    this.#calls.watchHolder(session, call);
    return this.#statuses.status(session, call);
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
      command: command === undefined ? undefined : redactCommand(command, this.#policy.config.record),
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

  /** The command of a call that was opened by data has ended. Of one that was killed meanwhile, the record as it is. Throws ACG_NO_CALL. */
  end(id: string, { exitCode, signal, isError }: z.output<typeof CallEnd>): CallStatus {
    const session = this.#sessions.get(id.slice(0, id.lastIndexOf('.')));
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
    if (!session || call?.state !== 'running') return this.#statuses.of(id);
    if (call.kept.via !== 'sdk' && call.kept.via !== 'mcp')
      throw new AcgError('ACG_BAD_REQUEST', `${id} is not the caller's to end`);
    if (signal !== null) signalNumber(signal as NodeJS.Signals);
    this.#calls.shellEnded(session, call, exitCode, signal);
    // settled in a moment: the answer is of what will come of it
    return {
      ...this.#statuses.status(session, call),
      state: call.cgroup.populated() && !call.killedBy ? 'background' : 'ended',
    };
  }
}
