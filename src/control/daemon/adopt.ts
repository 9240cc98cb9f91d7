import { type CallRecord, EXIT_XATTR } from '../../model/index.ts';
import { type Cgroup, parsePlace } from '../cgroup/index.ts';
import { getXattr } from '../native/index.ts';
import { Call } from './call.ts';
import type { Engine } from './engine.ts';
import { CALL_XATTR, KeptCall, KeptSession, SESSION_XATTR } from './kept.ts';
import { decodeWaitStatus, isAlive, onGone } from './processes.ts';
import { Session } from './session.ts';

/** What became of the tree that an earlier daemon left. */
export interface Adoption {
  sessions: number;
  calls: number;
  /** Cgroups that no daemon of ours can answer for; they were ended. */
  removed: string[];
}

/**
 * Takes over the tree below the engine's root: sessions and calls go on under this daemon. `recordsOf` gives the ended calls
 * of a session from its trace. A cgroup of our names without a readable xattr was left half-made by a daemon's death: ended.
 */
export async function adoptTree(
  engine: Engine,
  recordsOf: (session: KeptSession) => Promise<CallRecord[]>,
  report: (error: unknown, doing: string) => void,
): Promise<Adoption> {
  const adoption: Adoption = { sessions: 0, calls: 0, removed: [] };
  for (const tenant of engine.root.cgroup.children()) {
    if (parsePlace(tenant.name)?.kind !== 'tenant') continue;
    for (const cgroup of tenant.children()) {
      if (parsePlace(`${tenant.name}/${cgroup.name}`)?.kind !== 'session') continue;
      const session = readSession(cgroup);
      if (!session) {
        await cgroup.end();
        adoption.removed.push(cgroup.path);
        continue;
      }
      try {
        await adoptSession(engine, session, recordsOf);
      } catch (error) {
        // a trace that cannot be read or opened: the others are not to wait for that, and the next daemon tries again
        report(error, `take over session ${session.id}`);
        continue;
      }
      adoption.sessions++;
      await adoptCalls(engine, session, adoption, report);
    }
    tenant.tryRemove();
  }
  return adoption;
}

async function adoptSession(
  engine: Engine,
  session: Session,
  recordsOf: (session: KeptSession) => Promise<CallRecord[]>,
): Promise<void> {
  for (const record of await recordsOf(session.kept)) {
    session.remember(record);
    session.lastCall = Math.max(session.lastCall, Number(record.call.slice(record.call.lastIndexOf('.') + 1)));
    session.done++;
    if (record.killedBy !== undefined) session.killed++;
  }
  await engine.lifecycle.take(session);
}

function readSession(cgroup: Cgroup): Session | undefined {
  const kept = KeptSession.safeParse(readJson(cgroup, SESSION_XATTR));
  if (!kept.success || cgroup.name !== `session-${kept.data.session}`) return undefined;
  return new Session(cgroup, kept.data);
}

async function adoptCalls(
  engine: Engine,
  session: Session,
  adoption: Adoption,
  report: (error: unknown, doing: string) => void,
): Promise<void> {
  for (const cgroup of session.cgroup.children()) {
    const place = parsePlace(`tenant-${session.kept.tenant}/session-${session.id}/${cgroup.name}`);
    if (place?.kind !== 'call') continue;
    const kept = KeptCall.safeParse(readJson(cgroup, CALL_XATTR));
    // made ahead for a next call that never came
    if (!kept.success && cgroup.tryRemove()) continue;
    session.lastCall = Math.max(session.lastCall, place.call);
    if (!kept.success) {
      await cgroup.end();
      adoption.removed.push(cgroup.path);
      continue;
    }
    const record = session.records.get(kept.data.call);
    if (record?.end !== undefined && !record.background) {
      // all is told of it: the daemon died between its record and the removal of its cgroup
      if (!cgroup.tryRemove()) await cgroup.remove();
      continue;
    }
    const call = new Call(cgroup, kept.data, engine.controllers);
    call.awaited = kept.data.via === 'shim' && kept.data.shim !== undefined && isAlive(kept.data.shim);
    // where a governor is in charge, a daemon that had none may have left a ceiling of its own
    if (engine.policy.growth.on && engine.controllers.has('memory')) cgroup.write('memory.high', 'max');
    engine.calls.takeCall(session, call);
    engine.enlist(call);
    adoption.calls++;
    const failed = (error: unknown) => report(error, `adopt call ${call.id}`);
    resumeCall(engine, session, call, failed).catch(failed);
  }
}

/** Where a call stands after its daemon's death: the shell ended meanwhile, runs under a living shim, or lost its shim. */
async function resumeCall(
  engine: Engine,
  session: Session,
  call: Call,
  report: (error: unknown) => void,
): Promise<void> {
  const exit = /^(\d+) (\d+)$/.exec(getXattr(call.cgroup.path, EXIT_XATTR)?.toString() ?? '');
  const { shim, via, background, exitCode, signal, end, killedBy } = call.kept;
  // noted before it was done: what an earlier daemon has begun is brought to its end, and told as any other
  if (killedBy) call.cgroup.kill();
  // a shim that is there has not been answered: it reports once more, and is told what there is to tell
  if (background || (exitCode !== undefined && !(via === 'shim' && shim && isAlive(shim)))) {
    call.shellEnded(exitCode ?? null, signal ?? null, end);
    return engine.calls.settle(session, call);
  }
  if (exit) {
    const { exitCode, signal } = decodeWaitStatus(Number(exit[1]));
    call.shellEnded(exitCode, signal, Number(exit[2]));
    return engine.calls.settle(session, call);
  }
  if (via === 'adopted') return engine.calls.watchAdopted(session, call);
  if (!call.cgroup.populated() && !(shim && isAlive(shim))) {
    if (await engine.calls.discard(session, call)) return;
    return engine.calls.finish(session, call);
  }
  if (!shim || !isAlive(shim)) return engine.calls.shimLost(session, call);
  // it reconnects and reports the end; when it is gone without that, it may still have left a note
  const gone = onGone(shim, () => {
    if (call.attached || call.state !== 'running') return;
    call.awaited = false;
    resumeCall(engine, session, call, report).catch(report);
  });
  call.watchAlso(gone);
}

function readJson(cgroup: Cgroup, name: string): unknown {
  try {
    return JSON.parse(getXattr(cgroup.path, name)?.toString() ?? 'null');
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
