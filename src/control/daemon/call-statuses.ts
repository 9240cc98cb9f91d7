import { AcgError, type CallStatus } from '../../model/index.ts';
import type { Call, Controllers } from './call.ts';
import type { Session } from './session.ts';
import { measured } from './usage.ts';

/** Calls of running sessions, found by their ids and told about. */
export class CallStatuses {
  readonly #sessions: ReadonlyMap<string, Session>;
  readonly #controllers: Controllers;

  constructor(sessions: ReadonlyMap<string, Session>, controllers: Controllers) {
    this.#sessions = sessions;
    this.#controllers = controllers;
  }

  /** One that has not ended. */
  find(id: string): { session: Session; call: Call } | undefined {
    // ids are SESSION.NUMBER, and session names may hold dots
    const session = this.#sessions.get(id.slice(0, id.lastIndexOf('.')));
    const call = session?.calls.get(id);
    return session && call && { session, call };
  }

  /** A call by its id, running or ended. Throws ACG_NO_CALL. */
  of(id: string): CallStatus {
    const found = this.find(id);
    if (found) return this.status(found.session, found.call);
    const record = this.#sessions.get(id.slice(0, id.lastIndexOf('.')))?.records.get(id);
    if (!record) throw new AcgError('ACG_NO_CALL', id);
    return { ...record, state: 'ended' };
  }

  /** Calls of all sessions or of one, in the order of their start; of one millisecond, in that of their numbers. */
  list(filter: {
    session?: string | undefined;
    running?: boolean | undefined;
    agentCallId?: string | undefined;
  }): CallStatus[] {
    const found: CallStatus[] = [];
    for (const session of this.#sessions.values()) {
      if (filter.session !== undefined && filter.session !== session.id) continue;
      if (!filter.running) for (const record of session.records.values()) found.push({ ...record, state: 'ended' });
      for (const call of session.calls.values()) found.push(this.status(session, call));
    }
    const { agentCallId } = filter;
    const wanted = agentCallId === undefined ? found : found.filter((call) => call.agentCallId === agentCallId);
    return wanted.sort((a, b) => a.start - b.start || numberOf(a.call) - numberOf(b.call));
  }

  /** As it is now. */
  status(session: Session, call: Call): CallStatus {
    return measured<CallStatus>({
      ...call.record(session.id, session.kept.tenant),
      state: call.state,
      memoryBytes: this.#controllers.has('memory') ? call.cgroup.read('memory.current') : undefined,
      cgroup: call.cgroup.path,
    });
  }
}

/** The number in a call's id, SESSION.NUMBER. */
function numberOf(call: string): number {
  return Number(call.slice(call.lastIndexOf('.') + 1));
}
