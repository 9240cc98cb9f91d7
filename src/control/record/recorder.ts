import { cpus, release, totalmem } from 'node:os';
import type { CallRecord, SampleRecord, SessionRecord, TraceRecord } from '../../model/index.ts';
import { CallTracker } from './calls.ts';
import { mainDirectory } from './hierarchy.ts';
import { Places } from './places.ts';
import { ProcessSet, usageOf } from './processes.ts';
import { processesBelow, type Target } from './target.ts';

export interface RecorderOptions {
  target: Target;
  /** Id of the session in the trace. */
  session: string;
  /** A name for grouping. */
  task?: string;
  intervalMs: number;
  /** Look for call boundaries in the process tree? Not when they come from elsewhere. */
  treeCalls: boolean;
  write: (record: TraceRecord) => void;
}

/** What recording has cost and how well it kept time. */
export interface RecordCost {
  seconds: number;
  /** CPU time of this process, per cent of one core. */
  cpuPercent: number;
  rounds: number;
  /** Rounds left out because an earlier one, or the machine, was late. */
  missedRounds: number;
  samples: number;
  calls: number;
  /** The most cgroups sampled in one round. */
  cgroups: number;
}

/** New cgroups are announced by the kernel; this is for announcements that were lost. */
const LOOK_EVERY_MS = 1000;

/**
 * Samples a target at an interval until it is gone or `stop` is called. Read-only: it opens files of cgroups and
 * processes, and changes nothing.
 */
export class Recorder {
  /** Resolves when the target is gone, rejects when the kernel refuses what cannot be done without. */
  readonly ended: Promise<void>;
  private readonly options: RecorderOptions;
  private readonly start = Date.now();
  private readonly began = performance.now();
  private readonly cpuBefore = process.cpuUsage();
  private readonly places: Places | undefined;
  private readonly tree: ProcessSet | undefined;
  private readonly tracker: CallTracker | undefined;
  private readonly cost = { rounds: 0, missedRounds: 0, samples: 0, cgroups: 0 };
  private readonly callsSeen = new Set<string>();
  private readonly finish: (error?: unknown) => void;
  private attached: ReadonlySet<number> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private treeCpuUsec = 0;
  private lookedAt = Number.NEGATIVE_INFINITY;
  private stopped = false;

  constructor(options: RecorderOptions) {
    this.options = options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ended = promise;
    this.finish = (error) => (error === undefined ? resolve() : reject(error));
    const { target } = options;
    const identity = { session: options.session, tenant: target.tenant };
    const onCall = (record: CallRecord) => {
      this.callsSeen.add(record.call);
      options.write({ ...record });
    };
    if (target.cgroup) this.places = new Places(target.cgroup, target.session, identity, onCall);
    if (!target.cgroup || (options.treeCalls && !target.session)) {
      // a cgroup lists all its processes; a tree has to be followed
      this.tree = new ProcessSet(() => this.listed(), target.pid !== undefined);
      if (options.treeCalls) this.tracker = new CallTracker(identity, onCall);
    }
    options.write(this.sessionRecord());
    this.next();
  }

  /** Ends the recording; what it has cost. */
  stop(): RecordCost {
    const seconds = (performance.now() - this.began) / 1000;
    const used = process.cpuUsage(this.cpuBefore);
    if (!this.stopped) {
      this.stopped = true;
      clearTimeout(this.timer);
      this.places?.close();
      this.tracker?.close();
      this.tree?.close();
      this.options.write({ ...this.sessionRecord(), end: Date.now() });
      this.finish();
    }
    return { seconds, cpuPercent: (used.user + used.system) / 1e4 / seconds, ...this.cost, calls: this.callsSeen.size };
  }

  private next(): void {
    try {
      this.round();
    } catch (error) {
      this.finish(error);
    }
  }

  private round(): void {
    const now = performance.now();
    const t = Date.now();
    this.cost.rounds++;
    const alive = this.places ? this.sampleCgroups(this.places, now, t) : true;
    const living = this.tree ? this.sampleTree(this.tree, now, t) : true;
    if (!alive || !living) {
      this.finish();
      return;
    }
    const { intervalMs } = this.options;
    // rounds stand on a grid, so that lateness does not add up
    const due = this.began + Math.ceil((performance.now() - this.began + 1) / intervalMs) * intervalMs;
    this.cost.missedRounds += Math.max(0, Math.round((due - now) / intervalMs) - 1);
    this.timer = setTimeout(() => this.next(), due - performance.now());
  }

  /** False when the recorded cgroup is gone. */
  private sampleCgroups(places: Places, now: number, t: number): boolean {
    const always = now - this.lookedAt >= LOOK_EVERY_MS;
    if (always) this.lookedAt = now;
    places.look(t, always);
    for (const place of places.found.values()) {
      const usage = places.read(place, now, t);
      if (usage && places.worthWriting(place, usage, now)) this.sample({ ...place.identity, t, ...usage });
    }
    this.cost.cgroups = Math.max(this.cost.cgroups, places.found.size);
    return places.found.has('');
  }

  /** False when the process to record has ended. */
  private sampleTree(tree: ProcessSet, now: number, t: number): boolean {
    const ended = tree.refresh();
    this.attached ??= this.attachedTo(tree);
    this.tracker?.update(tree.members, ended, this.attached, t);
    const usage = this.tracker?.usage(now);
    for (const { call, usage: ofCall } of usage?.calls ?? []) this.sample({ scope: 'call', call, t, ...ofCall });
    const { pid } = this.options.target;
    if (!this.places && tree.members.size) {
      const whole = usageOf(tree.members.values(), now);
      this.treeCpuUsec = Math.max(this.treeCpuUsec, whole.cpuUsec);
      this.sample({ scope: 'session', t, ...whole, cpuUsec: this.treeCpuUsec });
      if (usage && this.tracker) {
        const cpuUsec = Math.max(0, this.treeCpuUsec - this.tracker.cpuUsec);
        this.sample({ scope: 'agent', t, ...usageOf(usage.rest, now), cpuUsec });
      }
    }
    return pid === undefined || tree.members.has(pid);
  }

  private sample(fields: Omit<SampleRecord, 'type' | 'session'>): void {
    this.cost.samples++;
    this.options.write({ type: 'sample', session: this.options.session, ...fields });
  }

  private listed(): number[] {
    const { target } = this.options;
    return target.pid !== undefined ? [target.pid] : processesBelow(mainDirectory(target.cgroup!) ?? '');
  }

  /** What was there first: the process named, or those of the cgroup that were started from outside. These are no calls. */
  private attachedTo({ members }: ProcessSet): ReadonlySet<number> {
    const { pid } = this.options.target;
    if (pid !== undefined) return new Set([pid]);
    return new Set([...members.values()].filter((p) => !members.has(p.stat.ppid)).map((p) => p.pid));
  }

  private sessionRecord(): SessionRecord {
    const { target, session } = this.options;
    return {
      type: 'session',
      version: 1,
      session,
      tenant: target.tenant,
      source: 'record',
      ...(this.options.task !== undefined && { task: this.options.task }),
      ...(target.argv && { argv: target.argv }),
      start: this.start,
      node: {
        kernel: release(),
        cpus: cpus().length,
        memoryBytes: totalmem(),
        ...(target.cgroup && { cgroupVersion: mainDirectory(target.cgroup) === target.cgroup.v2 ? 2 : 1 }),
      },
      labels: { recorded: target.what, intervalMs: String(this.options.intervalMs) },
    };
  }
}
