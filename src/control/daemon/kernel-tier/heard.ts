import type { SampleRecord } from '../../../model/index.ts';
import { epochMs, type HeadroomEvent, type KernelEvent, type SampleEvent } from '../../kernel/index.ts';
import { type Growing, mattersWithin } from '../../policy/index.ts';
import type { Call } from '../call.ts';
import type { Engine } from '../engine.ts';
import type { Session } from '../session.ts';

/** The policy hears of growth that matters within this, milliseconds; not of every sample of every call. */
const TELL_MS = 10;
/** Of other growth, on a roomy node and far from any ceiling, within this: a decision would not be different. */
const LEISURE_MS = 100;
/** Reading what has grown and deciding about it may take this part of one CPU: a slow machine is told more seldom. */
const SHARE = 1 / 5;

/** The event types that are of use here; the others are not even decoded. */
export const wanted: ReadonlySet<KernelEvent['type']> = new Set([
  'fork',
  'exit',
  'outside',
  'sample',
  'oom',
  'headroom',
]);

/** What follows from events beyond what is noted here. */
export interface Hands {
  /** Reads the calls and the node afresh and tells the policy. */
  look(calls: Iterable<Call>): void;
  /** A process in the session's agent leaf has exec'ed something, not through the shim; `t` is when, epoch milliseconds. */
  outside(session: Session, pid: number, t: number): void;
  /** A sample for the session's trace. */
  record(sample: SampleRecord): void;
  /** The guard has tripped, or cleared. */
  headroom(event: HeadroomEvent): void;
}

interface Owner {
  session: Session;
  /** Absent: the agent leaf. */
  call?: Call;
}

/** Events of the kernel, to those whom they concern. */
export class Heard {
  readonly #engine: Engine;
  readonly #hands: Hands;
  readonly #owners = new Map<number, Owner>();
  readonly #leaves = new WeakMap<Call | Session, number>();
  /** Calls that have grown since the last look, as they were told of last. */
  readonly #grown = new Map<Call, Growing>();
  readonly #enlisted = new WeakSet<Call>();
  #timer: NodeJS.Timeout | undefined;
  /** When it goes off. */
  #dueAt = 0;
  /** When the policy may be told again. */
  #notBefore = 0;

  constructor(engine: Engine, hands: Hands) {
    this.#engine = engine;
    this.#hands = hands;
  }

  take(event: KernelEvent): void {
    if (event.type === 'headroom') {
      this.#hands.headroom(event);
      // at once, whatever it costs: the policy decides about the rest of the ladder
      if (event.tripped) this.#look(this.#running());
      return;
    }
    const owner = this.#owner(event.leaf);
    if (!owner) return;
    const { session, call } = owner;
    if (event.type === 'outside' && !call) this.#hands.outside(session, event.pid, epochMs(event.timeNs));
    if (event.type === 'sample') this.#sample(owner, event);
    if (!call) return;
    if (event.type === 'exit') this.#peak(call, event.comm, event.peakRssBytes);
    if (event.type === 'oom') this.#peak(call, event.comm, event.anonBytes + event.fileBytes + event.shmemBytes);
    // the shim asks for our scheduler itself
    if (event.type === 'fork' && call.kept.via !== 'shim' && !this.#enlisted.has(call)) {
      this.#enlisted.add(call);
      this.#engine.enlist(call);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #sample(
    { session, call }: Owner,
    { timeNs, usageBytes, growthBytesPerSecond }: SampleEvent & { timeNs: number },
  ): void {
    const about = {
      session: session.id,
      ...(call ? { scope: 'call' as const, call: call.id } : { scope: 'agent' as const }),
    };
    this.#hands.record({ type: 'sample', ...about, t: epochMs(timeNs), memoryBytes: usageBytes });
    if (!call) return;
    this.#grown.set(call, { id: call.id, usage: usageBytes, growth: growthBytesPerSecond });
    const soon = mattersWithin(this.#engine.policy.state, this.#grown.values(), LEISURE_MS);
    this.#lookWithin(soon ? TELL_MS : LEISURE_MS);
  }

  #lookWithin(ms: number): void {
    const at = Math.max(performance.now() + ms, this.#notBefore);
    if (this.#timer && this.#dueAt <= at) return;
    clearTimeout(this.#timer);
    this.#dueAt = at;
    this.#timer = setTimeout(() => this.#look(this.#grown.keys()), at - performance.now());
  }

  #look(calls: Iterable<Call>): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const begin = performance.now();
    this.#hands.look([...calls].filter((call) => call.state !== 'ended'));
    this.#grown.clear();
    const end = performance.now();
    this.#notBefore = end + (end - begin) / SHARE;
  }

  #running(): Call[] {
    return [...this.#engine.sessions.values()].flatMap((session) => [...session.calls.values()]);
  }

  #peak(call: Call, comm: string, rssBytes: number): void {
    if (rssBytes > (call.peakProcess?.rssBytes ?? 0)) call.peakProcess = { comm, rssBytes };
  }

  /** Whose leaf that is; undefined: nobody's any more, or not ours. */
  #owner(leaf: number): Owner | undefined {
    const known = this.#owners.get(leaf);
    if (known && (known.call ? known.call.state !== 'ended' : known.session.state === 'running')) return known;
    this.#owners.clear();
    for (const session of this.#engine.sessions.values()) {
      if (session.state !== 'running') continue;
      const agent = this.#leaf(session);
      if (agent !== undefined) this.#owners.set(agent, { session });
      for (const call of session.calls.values()) {
        const id = this.#leaf(call);
        if (id !== undefined) this.#owners.set(id, { session, call });
      }
    }
    return this.#owners.get(leaf);
  }

  /** The cgroup id, asked for once; undefined when it is gone. */
  #leaf(of: Call | Session): number | undefined {
    const known = this.#leaves.get(of);
    if (known !== undefined) return known;
    const cgroup = 'agent' in of ? of.agent : of.cgroup;
    if (!cgroup.exists()) return undefined;
    const id = Number(cgroup.id);
    this.#leaves.set(of, id);
    return id;
  }
}
