import { relative } from 'node:path';
import {
  AcgError,
  type CallRecord,
  type CallStatus,
  type SessionRequest,
  type SessionStatus,
} from '../../model/index.ts';
import { parsePlace, type Root } from '../cgroup/index.ts';
import type { Ended, Open } from '../intercept/index.ts';
import { setXattr } from '../native/index.ts';
import { Call, type Controllers, createCallCgroup, oomFeedback } from './call.ts';
import { CALL_XATTR, type KeptCall } from './kept.ts';
import { callLimits } from './limits.ts';
import { cgroupDirectoryOf, decodeWaitStatus, identify, onGone } from './processes.ts';
import { createSession, delegate, type Session, shareProtection } from './session.ts';
import type { TraceStore } from './trace-store.ts';
import { measured } from './usage.ts';

/** More at once in one session is a runaway agent, not work. */
const MAX_RUNNING_CALLS = 1024;
/** What is kept of a command; the shim has cut it to 64 KiB already, and an xattr holds no more than that. */
const MAX_COMMAND = 16 * 1024;

/** The outcome of a shim's question. */
export type Opening = { verdict: 'plain' } | { verdict: 'contained'; session: Session; call: Call };

/**
 * All sessions and calls of this node, and what happens to them. Owns the tree below `root`: nobody else makes or removes
 * cgroups there. Holds no state that the cgroups (xattrs) and traces do not hold too.
 */
export class Engine {
  readonly sessions = new Map<string, Session>();
  readonly root: Pick<Root, 'cgroup' | 'mount' | 'enabled'>;
  readonly controllers: Controllers;
  readonly #traces: TraceStore;
  readonly #report: (error: unknown, doing: string) => void;
  readonly #owners = new Map<string, { close(): void }>();
  readonly #endings = new Map<string, Promise<SessionStatus>>();

  /** `report` hears of every failure that no caller waits for. */
  constructor(
    root: Pick<Root, 'cgroup' | 'mount' | 'enabled'>,
    traces: TraceStore,
    report: (error: unknown, doing: string) => void,
  ) {
    this.root = root;
    this.controllers = new Set(root.enabled);
    this.#traces = traces;
    this.#report = report;
  }

  /** Throws ACG_BAD_REQUEST, ACG_SESSION_EXISTS, ACG_TRACE_WRITE, CgroupFileError; then nothing of the session is left. */
  async createSession(
    request: SessionRequest,
    requester: { pid: number; uid: number },
    now = Date.now(),
  ): Promise<SessionStatus> {
    const owner = request.owned ? identify(requester.pid) : undefined;
    if (request.owned && !owner) throw new AcgError('ACG_BAD_REQUEST', 'the owner is gone already');
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

  /** Puts a session, new or re-adopted, under this engine's care. */
  async take(session: Session): Promise<void> {
    await this.#traces.open(session.kept);
    this.sessions.set(session.id, session);
    shareProtection(session.cgroup.parent);
    const { owner } = session.kept;
    if (owner)
      this.#owners.set(
        session.id,
        onGone(owner, () => this.#endLater(session.id)),
      );
  }

  /** Kills all that the session started, waits for it, removes its cgroups. Asked twice, both get the one answer. */
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
    for (const call of session.calls.values()) call.killedBy ??= 'session';
    session.cgroup.kill();
    await session.cgroup.waitEmpty();
    for (const call of [...session.calls.values()]) await this.finish(session, call);
    session.agentOomKilled ||= (session.agent.read('memory.events')?.oomKill ?? 0) > 0;
    await session.cgroup.remove();
    session.state = 'ended';
    session.end = Date.now();
    this.sessions.delete(session.id);
    this.#endings.delete(session.id);
    shareProtection(session.cgroup.parent);
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

  /** A shim asks to run a command: makes the call's cgroup. Throws ACG_FOREIGN_SESSION, ACG_LIMIT, CgroupFileError. */
  open(shimPid: number, request: Open, now = Date.now()): Opening {
    const { session, inCall } = this.#whereIs(shimPid);
    if (inCall) return { verdict: 'plain' };
    if (session.state !== 'running') throw new AcgError('ACG_NO_SESSION', `${session.id} is ending`);
    if (session.calls.size >= MAX_RUNNING_CALLS)
      throw new AcgError('ACG_LIMIT', `${session.calls.size} calls of session ${session.id} run already`);
    const number = session.nextCall();
    const limits = callLimits(session.kept.limits);
    const cgroup = createCallCgroup(session.cgroup, number, limits, this.controllers);
    if (session.kept.uid !== 0) delegate(cgroup, session.kept.uid);
    const kept = measured<KeptCall>({
      version: 1,
      call: `${session.id}.${number}`,
      number,
      start: now,
      tool: 'Bash',
      command: commandOf(request),
      cwd: request.cwd || undefined,
      agentCallId: request.env.AGENTCGROUP_CALL_ID ?? request.env.CODEX_TOOL_CALL_ID,
      agentSessionId: request.env.CLAUDE_CODE_SESSION_ID ?? request.env.CODEX_SESSION_ID ?? request.env.PI_SESSION_ID,
      via: 'shim',
      limitBytes: this.controllers.has('memory') ? limits.memoryMaxBytes : undefined,
      shim: identify(shimPid),
      background: false,
    });
    setXattr(cgroup.path, CALL_XATTR, JSON.stringify(kept));
    const call = new Call(cgroup, kept, this.controllers);
    session.calls.set(call.id, call);
    return { verdict: 'contained', session, call };
  }

  /**
   * The shell has ended. Returns what the agent is told on stderr, possibly nothing, without waiting; the call is finished
   * afterwards, or lives on in the background as long as it holds a process.
   */
  ended(session: Session, call: Call, ended: Ended): string {
    const { exitCode, signal } = decodeWaitStatus(ended.status);
    call.shellEnded(exitCode, signal);
    call.keep();
    if (call.oomKills() > 0) {
      call.killedBy = 'oom';
      call.feedback = oomFeedback(call.record(session.id, session.kept.tenant));
    }
    setImmediate(() => this.settle(session, call).catch((error) => this.#report(error, `finish call ${call.id}`)));
    return call.feedback ? `agentcgroup: ${call.feedback.text} ${call.feedback.advice}` : '';
  }

  /** After the end of the shell: finishes an empty call, keeps one with processes as a background call. */
  async settle(session: Session, call: Call): Promise<void> {
    if (call.state === 'ended' || session.state !== 'running') return;
    if (call.cgroup.populated()) {
      call.state = 'background';
      call.kept.background = true;
      call.keep();
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

  async #kill(session: Session, call: Call): Promise<void> {
    call.cgroup.kill();
    await call.cgroup.waitEmpty();
    // a shim that is there reports the end itself, with the exit status
    if (!call.attached || call.state === 'background') await this.finish(session, call);
  }

  /** Writes the record and removes the cgroup of a call that holds no process any more. Twice is once. */
  async finish(session: Session, call: Call): Promise<void> {
    if (call.state === 'ended') return;
    if (call.kept.exitCode === undefined) call.shellEnded(null, 'SIGKILL');
    const record = call.record(session.id, session.kept.tenant);
    call.state = 'ended';
    session.calls.delete(call.id);
    session.done++;
    if (record.killedBy !== undefined) session.killed++;
    session.remember(record);
    this.#traces.write(session.id, record);
    // the cgroup goes after its record is kept: a daemon that dies in between leaves it for the next one to record
    await this.#traces.flush(session.id);
    await call.cgroup.remove();
    call.ended.resolve(record);
  }

  findCall(id: string): { session: Session; call: Call } | undefined {
    for (const session of this.sessions.values()) {
      const call = session.calls.get(id);
      if (call) return { session, call };
    }
    return undefined;
  }

  /** A call by its id, running or ended. Throws ACG_NO_CALL. */
  callStatus(id: string): CallStatus {
    for (const session of this.sessions.values()) {
      const call = session.calls.get(id);
      if (call) return this.#status(session, call);
      const record = session.records.get(id);
      if (record) return { ...record, state: 'ended' };
    }
    throw new AcgError('ACG_NO_CALL', id);
  }

  /** Calls of all sessions or of one, ended ones first, in the order of their start. */
  callStatuses(filter: { session?: string | undefined; running?: boolean | undefined }): CallStatus[] {
    const found: CallStatus[] = [];
    for (const session of this.sessions.values()) {
      if (filter.session !== undefined && filter.session !== session.id) continue;
      if (!filter.running) for (const record of session.records.values()) found.push({ ...record, state: 'ended' });
      for (const call of session.calls.values()) found.push(this.#status(session, call));
    }
    return found.sort((a, b) => a.start - b.start);
  }

  #status(session: Session, call: Call): CallStatus {
    return measured<CallStatus>({
      ...call.record(session.id, session.kept.tenant),
      state: call.state,
      memoryBytes: call.cgroup.read('memory.current'),
    });
  }

  /** Stops watching; the sessions live on for the next daemon. */
  async release(): Promise<void> {
    for (const watch of this.#owners.values()) watch.close();
    this.#owners.clear();
    await this.#traces.closeAll();
  }
}

/** What the agent asked for: the -c argument when there is one, else the whole command line. */
function commandOf({ args }: Open): string {
  const dashC = args.findIndex((arg, i) => i > 0 && /^-[A-Za-z]*c$/.test(arg));
  const command = dashC > 0 && args[dashC + 1] !== undefined ? args[dashC + 1]! : args.join(' ');
  return command.length > MAX_COMMAND ? `${command.slice(0, MAX_COMMAND)}…` : command;
}
