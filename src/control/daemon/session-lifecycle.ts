import { AcgError, type Priority, type SessionRequest, type SessionStatus } from '../../model/index.ts';
import { type Cgroup, parsePlace, tenantName } from '../cgroup/index.ts';
import type { CallLifecycle } from './call-lifecycle.ts';
import type { PolicyDriver } from './policy-driver.ts';
import { identify, onGone } from './processes.ts';
import { createSession, type Session } from './session.ts';
import type { TraceStore } from './trace-store.ts';
import { inForceOf } from './usage.ts';

/** What becomes of sessions, from the request for one to the removal of its cgroups. */
export class SessionLifecycle {
  readonly #sessions: Map<string, Session>;
  readonly #root: Cgroup;
  readonly #calls: CallLifecycle;
  readonly #policy: PolicyDriver;
  readonly #traces: TraceStore;
  readonly #report: (error: unknown, doing: string) => void;
  /** Sessions by the path of their agent leaf. */
  readonly ofAgentLeaf = new Map<string, Session>();
  readonly #owners = new Map<string, { close(): void }>();
  readonly #endings = new Map<string, Promise<SessionStatus>>();

  /** `sessions`: those that are there, kept up to date here. `root`: of the tree. */
  constructor(
    sessions: Map<string, Session>,
    root: Cgroup,
    calls: CallLifecycle,
    policy: PolicyDriver,
    traces: TraceStore,
    report: (error: unknown, doing: string) => void,
  ) {
    this.#sessions = sessions;
    this.#root = root;
    this.#calls = calls;
    this.#policy = policy;
    this.#traces = traces;
    this.#report = report;
  }

  /** Throws ACG_BAD_REQUEST, ACG_SESSION_EXISTS, ACG_LIMIT, ACG_TRACE_WRITE, CgroupFileError; then nothing of the session is left. */
  async create(
    request: SessionRequest,
    requester: { pid: number; uid: number },
    now = Date.now(),
  ): Promise<SessionStatus> {
    const owner = request.owned ? identify(requester.pid) : undefined;
    if (request.owned && !owner) throw new AcgError('ACG_BAD_REQUEST', 'the owner is gone already');
    this.#checkRoom(request.tenant ?? 'default');
    const session = createSession(this.#root, request, owner, request.uid ?? requester.uid, now);
    try {
      await this.take(session);
    } catch (error) {
      await session.cgroup.end();
      throw error;
    }
    this.#traces.writeSession(session.kept, this.priorityOf(session));
    return this.status(session);
  }

  #checkRoom(tenant: string): void {
    const { tenants } = this.#policy.config;
    const most = Object.hasOwn(tenants, tenant) ? tenants[tenant]!.maxSessions : 1000;
    // in the tree, where those are too that are being made
    const place = tenantName(tenant);
    const cgroups = this.#root.child(place).children();
    const running = cgroups.filter(({ name }) => parsePlace(`${place}/${name}`)?.kind === 'session').length;
    if (running >= most) throw new AcgError('ACG_LIMIT', `tenant ${tenant} has ${running} sessions`);
  }

  /** Puts a session, new or re-adopted, under this daemon's care. */
  async take(session: Session): Promise<void> {
    await this.#traces.open(session.kept);
    this.#sessions.set(session.id, session);
    this.ofAgentLeaf.set(session.agent.path, session);
    const { tenant, priority, limits, owner } = session.kept;
    const budget = limits.memoryBytes;
    const { cgroup, agent } = session;
    const inForce = { tenant: inForceOf(cgroup.parent), session: inForceOf(cgroup), agent: inForceOf(agent) };
    this.#policy.send({
      type: 'session-start',
      session: session.id,
      tenant,
      ...(priority !== undefined && { priority }),
      ...(budget !== undefined && { budget }),
      inForce,
    });
    if (owner)
      this.#owners.set(
        session.id,
        onGone(owner, () => this.#endLater(session.id)),
      );
  }

  /** Kills all that the session started, waits for it, removes its cgroups. Asked twice, both get the one answer. Throws ACG_NO_SESSION. */
  end(id: string, result: { exitCode?: number | null; signal?: string | null } = {}): Promise<SessionStatus> {
    const session = this.#sessions.get(id);
    if (!session) throw new AcgError('ACG_NO_SESSION', id);
    let ending = this.#endings.get(id);
    if (!ending) {
      // one that failed can be asked for again
      ending = this.#end(session, result).finally(() => this.#endings.delete(id));
      this.#endings.set(id, ending);
    }
    return ending;
  }

  async #end(session: Session, result: { exitCode?: number | null; signal?: string | null }): Promise<SessionStatus> {
    session.state = 'ending';
    this.#owners.get(session.id)?.close();
    this.#owners.delete(session.id);
    this.#calls.waiting.refuseAll(session);
    for (const call of session.calls.values()) this.#calls.noteKill(call, 'session');
    session.spare.drop();
    session.cgroup.kill();
    await session.cgroup.waitEmpty();
    for (const call of [...session.calls.values()]) await this.#calls.finish(session, call);
    for (const record of session.logged.values()) this.#traces.write(session.id, { ...record, killedBy: 'session' });
    session.agentOomKilled ||= (session.agent.read('memory.events')?.oomKill ?? 0) > 0;
    await this.#traces.flush(session.id);
    await session.cgroup.remove();
    session.state = 'ended';
    session.end = Date.now();
    this.#sessions.delete(session.id);
    this.ofAgentLeaf.delete(session.agent.path);
    // the last session of a tenant takes the tenant's cgroup along; a new one may be on its way in
    session.cgroup.parent.tryRemove();
    const priority = this.priorityOf(session);
    this.#policy.sessionEnded(session.id, session.kept.tenant);
    const { end, agentOomKilled } = session;
    this.#traces.writeSession(session.kept, priority, { ...result, end, agentOomKilled });
    await this.#traces.close(session.id);
    return session.status(this.#traces.path(session.kept), priority);
  }

  status(session: Session): SessionStatus {
    return session.status(this.#traces.path(session.kept), this.priorityOf(session));
  }

  /** In force: what a session that is there asked for, or its tenant's, which is the highest it can have. */
  priorityOf({ id }: Session): Priority {
    return this.#policy.state.sessions[id]!.priority;
  }

  #endLater(id: string): void {
    if (this.#sessions.has(id)) this.end(id).catch((error) => this.#report(error, `end session ${id}`));
  }

  /** Watches no owner any more: sessions live on for the next daemon. */
  release(): void {
    for (const watch of this.#owners.values()) watch.close();
    this.#owners.clear();
  }
}
