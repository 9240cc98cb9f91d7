import type { CallRecord } from '../../model/index.ts';
import type { Usage } from './cgroup-reader.ts';
import { type Process, startOf, usageOf } from './processes.ts';
import { isShell, scriptOf } from './shells.ts';

/** A call that is running, or whose background processes are. */
interface Running {
  record: CallRecord;
  shell: Process;
  members: Set<Process>;
  cpuUsec: number;
}

/**
 * Tool calls seen in a process tree. The rule: of the processes outside of any call, leaving out those that were there
 * first, one is a call if it is a shell with a script of its own (`bash -c ...`), or leads a session of its own (setsid), as
 * agents start their shells: a shell that runs a single command has often become that command before we look. Whatever it
 * starts belongs to the call, which ends when that first process ends. What an agent starts for itself in one of these
 * ways (shells at start-up, servers) shows as a call too; what lives for less than the interval may be missed; times are
 * as exact as the interval.
 */
export class CallTracker {
  /** CPU time of all calls so far, ended ones included. */
  cpuUsec = 0;
  private readonly identity: Pick<CallRecord, 'session' | 'tenant'>;
  private readonly write: (record: CallRecord) => void;
  private readonly running = new Map<Process, Running>();
  private readonly callOf = new Map<Process, Running | undefined>();
  /** The name and session a process had when it was last found to be no call. */
  private readonly looked = new Map<Process, string>();

  constructor(identity: Pick<CallRecord, 'session' | 'tenant'>, write: (record: CallRecord) => void) {
    this.identity = identity;
    this.write = write;
  }

  /** After each look at the tree: who is there, who has ended, and which processes were attached to. */
  update(members: ReadonlyMap<number, Process>, ended: Process[], roots: ReadonlySet<number>, t: number): void {
    this.forget(ended, t);
    // parents before children, so that a child finds its parent's call
    const ordered = [...members.values()].sort((a, b) => a.stat.startTicks - b.stat.startTicks || a.pid - b.pid);
    for (const p of ordered) {
      if (!this.callOf.has(p)) this.join(p, members.get(p.stat.ppid));
      if (this.callOf.get(p) === undefined && !roots.has(p.pid)) this.consider(p, members.get(p.stat.ppid), t);
    }
  }

  /** Usage of each running call now, and of all that is no call. */
  usage(now: number): { calls: { call: string; usage: Usage & { memoryBytes: number } }[]; rest: Process[] } {
    const calls = [];
    for (const r of this.running.values()) {
      const usage = usageOf(r.members, now);
      this.cpuUsec += Math.max(0, usage.cpuUsec - r.cpuUsec);
      r.cpuUsec = Math.max(r.cpuUsec, usage.cpuUsec);
      usage.cpuUsec = r.cpuUsec;
      const { record } = r;
      record.peakBytes = Math.max(record.peakBytes ?? 0, usage.memoryBytes);
      record.maxPids = Math.max(record.maxPids ?? 0, usage.pids ?? 0);
      record.cpuUserUsec = Math.max(
        record.cpuUserUsec ?? 0,
        sum(r.members, (p) => p.stat.userUsec),
      );
      record.cpuSystemUsec = Math.max(
        record.cpuSystemUsec ?? 0,
        sum(r.members, (p) => p.stat.systemUsec),
      );
      for (const p of r.members)
        if (p.stat.rssBytes > (record.peakProcess?.rssBytes ?? 0))
          record.peakProcess = { comm: p.stat.comm, rssBytes: p.stat.rssBytes };
      calls.push({ call: record.call, usage });
    }
    return { calls, rest: [...this.callOf].filter(([, call]) => call === undefined).map(([p]) => p) };
  }

  /** The recording ends: calls that still run are written without an end. */
  close(): void {
    for (const { record } of this.running.values()) if (record.end === undefined) this.write(record);
    this.running.clear();
  }

  private join(p: Process, parent: Process | undefined): void {
    const call = parent && this.callOf.get(parent);
    this.callOf.set(p, call);
    call?.members.add(p);
  }

  private consider(p: Process, parent: Process | undefined, t: number): void {
    const { comm, sessionId } = p.stat;
    const leads = sessionId === p.pid;
    if (this.looked.get(p) === `${comm} ${leads}`) return;
    const argv = isShell(comm) || leads ? p.argv() : [];
    // a copy of its parent that has not yet become what it was made for (between fork and exec): the next look will tell
    if (argv.length && argv.join('\0') === parent?.argv().join('\0')) return;
    this.looked.set(p, `${comm} ${leads}`);
    if (!isShell(comm) && !leads) return;
    const command = scriptOf(argv) ?? (leads ? argv.join(' ') : undefined);
    if (command === undefined) return;
    const record: CallRecord = {
      type: 'call',
      call: `${p.pid}-${p.stat.startTicks}`,
      ...this.identity,
      tool: 'shell',
      command,
      via: 'process-tree',
      start: Math.min(t, startOf(p, t)),
    };
    const call: Running = { record, shell: p, members: new Set([p]), cpuUsec: 0 };
    this.running.set(p, call);
    this.callOf.set(p, call);
  }

  private forget(ended: Process[], t: number): void {
    const touched = new Set<Running>();
    for (const p of ended) {
      const call = this.callOf.get(p);
      this.callOf.delete(p);
      this.looked.delete(p);
      if (!call) continue;
      call.members.delete(p);
      touched.add(call);
    }
    for (const call of touched) {
      const { record, members, shell } = call;
      const before = record.end;
      if (before === undefined && !members.has(shell)) {
        record.end = t;
        record.durationMs = Math.max(0, t - record.start);
        if (members.size) record.background = true;
      }
      if (members.size === 0) this.running.delete(shell);
      if (record.end !== before || members.size === 0) this.write(record);
    }
  }
}

function sum(members: Iterable<Process>, of: (p: Process) => number): number {
  let total = 0;
  for (const p of members) total += of(p);
  return total;
}
