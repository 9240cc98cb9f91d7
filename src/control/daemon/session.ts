import { randomBytes } from 'node:crypto';
import { chownSync } from 'node:fs';
import { join } from 'node:path';
import {
  AcgError,
  type CallRecord,
  type Feedback,
  type Priority,
  type SessionRequest,
  type SessionStatus,
  SessionRequest as schema,
} from '../../model/index.ts';
import { AGENT, type Cgroup, CgroupFileError, enableControllers, sessionName, tenantName } from '../cgroup/index.ts';
import { setXattr } from '../native/index.ts';
import type { Call } from './call.ts';
import { Expected } from './expected.ts';
import { type KeptSession, type ProcessId, SESSION_XATTR } from './kept.ts';
import { Spare } from './spare.ts';
import { measured } from './usage.ts';

/** Ended calls that are kept in memory for the API; older ones are in the trace. */
const KEPT_RECORDS = 10_000;

/** One agent run: its cgroups and its calls. */
export class Session {
  readonly kept: KeptSession;
  readonly cgroup: Cgroup;
  readonly agent: Cgroup;
  readonly calls = new Map<string, Call>();
  readonly records = new Map<string, CallRecord>();
  /** Records without a cgroup of their own that are not complete yet. They do not survive the daemon. */
  readonly logged = new Map<string, CallRecord>();
  readonly expected = new Expected();
  readonly spare: Spare;
  readonly notEnforced: string[];
  state: SessionStatus['state'] = 'running';
  end: number | undefined;
  done = 0;
  killed = 0;
  lastCall = 0;
  /** Shims whose question has no answer yet. */
  asking = 0;
  agentOomKilled = false;
  /** What happened to background calls, for the model to read after its next call. Lost with the daemon. */
  untold: Feedback[] = [];

  constructor(cgroup: Cgroup, kept: KeptSession, notEnforced: string[] = []) {
    this.cgroup = cgroup;
    this.agent = cgroup.child(AGENT);
    this.spare = new Spare(cgroup);
    this.kept = kept;
    this.notEnforced = notEnforced;
  }

  get id(): string {
    return this.kept.session;
  }

  /**
   * The number of the next call. Not noted anywhere of its own: a call's cgroup goes after its record is in the trace, so the
   * next daemon finds every number that was given in one of the two.
   */
  nextCall(): number {
    this.lastCall++;
    return this.lastCall;
  }

  remember(record: CallRecord): void {
    this.records.set(record.call, record);
    if (this.records.size > KEPT_RECORDS) this.records.delete(this.records.keys().next().value!);
  }

  /** `priority`: in force. */
  status(trace: string, priority: Priority): SessionStatus {
    const { kept } = this;
    const running = [...this.calls.values()];
    const background = running.filter((call) => call.state === 'background').length;
    const gone = this.state === 'ended';
    return measured<SessionStatus>({
      session: kept.session,
      tenant: kept.tenant,
      priority,
      state: this.state,
      start: kept.start,
      end: this.end,
      argv: kept.argv,
      memoryLimitBytes: kept.limits.memoryBytes,
      memoryBytes: gone ? undefined : this.cgroup.read('memory.current'),
      agentMemoryBytes: gone ? undefined : this.agent.read('memory.current'),
      agentOomKilled: this.agentOomKilled,
      callsRunning: running.length - background,
      callsBackground: background,
      callsDone: this.done,
      callsKilled: this.killed,
      agentCgroup: gone ? undefined : this.agent.path,
      trace,
      notEnforced: [
        ...this.notEnforced,
        ...(kept.priority !== undefined && kept.priority !== priority && !gone
          ? [`priority ${kept.priority}: tenant ${kept.tenant} allows ${priority} (tenants.${kept.tenant}.priority)`]
          : []),
      ],
    });
  }
}

/** A session id nobody has had: seconds since the epoch and 40 random bits, so that ids sort by age. */
function newSessionId(now: number): string {
  return `${Math.floor(now / 1000).toString(36)}-${randomBytes(5).toString('hex')}`;
}

/**
 * Makes the session's part of the tree, tenant included, and writes its limits. All or nothing: when any step fails, what
 * was made is removed again. Throws ACG_BAD_REQUEST, ACG_SESSION_EXISTS, CgroupFileError.
 */
export function createSession(
  root: Cgroup,
  request: SessionRequest,
  owner: ProcessId | undefined,
  uid: number,
  now: number,
): Session {
  const wanted = schema.parse(request);
  const kept = measured<KeptSession>({
    version: 1,
    session: wanted.name ?? newSessionId(now),
    tenant: wanted.tenant,
    priority: wanted.priority,
    start: now,
    argv: wanted.argv,
    limits: measured<KeptSession['limits']>({
      memoryBytes: wanted.memoryBytes,
      cpuWeight: wanted.cpuWeight,
      pids: wanted.pids,
    }),
    oomScoreAdj: wanted.oomScoreAdj,
    uid,
    owner,
  });
  const tenant = root.child(tenantName(kept.tenant));
  if (!tenant.exists()) root.create(tenant.name);
  try {
    enableControllers(tenant, tenant);
    const cgroup = createSessionCgroup(tenant, kept);
    try {
      const notEnforced = writeLimits(cgroup, kept);
      if (uid !== 0) delegate(cgroup, uid);
      return new Session(cgroup, kept, notEnforced);
    } catch (error) {
      for (const part of cgroup.walk()) part.tryRemove();
      throw error;
    }
  } catch (error) {
    tenant.tryRemove();
    throw error;
  }
}

function createSessionCgroup(tenant: Cgroup, kept: KeptSession): Cgroup {
  try {
    return tenant.create(sessionName(kept.session));
  } catch (error) {
    if (error instanceof CgroupFileError && error.errno === 'EEXIST')
      throw new AcgError('ACG_SESSION_EXISTS', kept.session, { cause: error });
    throw error;
  }
}

/** Sets the limits that were asked for; returns what this machine cannot enforce, in words. The rest is the policy's business. */
function writeLimits(cgroup: Cgroup, kept: KeptSession): string[] {
  const { limits } = kept;
  enableControllers(cgroup, cgroup);
  cgroup.create(AGENT);
  const written = [];
  if (limits.memoryBytes !== undefined) written.push(cgroup.write('memory.max', limits.memoryBytes));
  if (limits.cpuWeight !== undefined) written.push(cgroup.write('cpu.weight', limits.cpuWeight));
  if (limits.pids !== undefined) written.push(cgroup.write('pids.max', limits.pids));
  setXattr(cgroup.path, SESSION_XATTR, JSON.stringify(kept));
  return written.flatMap((w) => (w.enforced ? [] : [`${w.file}: ${w.why}`]));
}

/** Lets the agent's user start processes in calls (CLONE_INTO_CGROUP asks for the cgroup.procs of both ends and what they share). */
export function delegate(cgroup: Cgroup, uid: number): void {
  for (const part of cgroup.walk()) chownSync(join(part.path, 'cgroup.procs'), uid, -1);
}
