import { readFileSync } from 'node:fs';
import type { Cgroup } from '../cgroup/index.ts';
import { isRestless, type Usage } from '../policy/index.ts';
import type { Call } from './call.ts';
import { capacityNow } from './capacity.ts';
import type { Engine } from './engine.ts';
import { peakResident } from './processes.ts';
import type { TraceStore } from './trace-store.ts';
import { type Place, policyUsage, readForPolicy, readUsage, sampleOf } from './usage.ts';

/** How often running calls are looked at while any runs: their memory, and which process is the largest. */
const INTERVAL_MS = 100;
/** How often steady things are: agents, sessions, background calls. */
const SLOW_MS = 1000;
/** What others use moves all the time: by less than this part it has not. */
const MOVED = 1 / 128;
/** Sessions take turns in it. */
const TURNS = SLOW_MS / INTERVAL_MS;
/** A call with more processes than this is looked at in part: reading /proc of each costs about 20 us. */
const MAX_PROCESSES = 64;

/** Reads usage: for the traces, for the policy, and for each call's largest process. Does next to nothing while no session runs. */
export class Sampler {
  readonly #engine: Engine;
  readonly #traces: TraceStore;
  readonly #report: (error: unknown, doing: string) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #told: () => boolean;
  #round = 0;
  /** What moves slowly and is dear to read. */
  #node = { readAt: Number.NEGATIVE_INFINITY, swapFree: 0 };

  /** `told`: does the kernel tell of growth itself? Then what is steady is looked at once a second. */
  constructor(
    engine: Engine,
    traces: TraceStore,
    report: (error: unknown, doing: string) => void,
    told: () => boolean = () => false,
  ) {
    this.#engine = engine;
    this.#traces = traces;
    this.#report = report;
    this.#told = told;
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const sessions = [...this.#engine.sessions.values()].filter((session) => session.state === 'running');
    if (sessions.length === 0) return;
    try {
      const t = Date.now();
      const turn = this.#round++ % TURNS;
      const { sampleEvery } = this.#engine.policy.config.ladder;
      const due = this.#round % Math.max(1, Math.round(sampleEvery / INTERVAL_MS)) === 0;
      // told of growth, the policy still wants to see it end
      const told = this.#told();
      const restless = isRestless(this.#engine.policy.state);
      const forPolicy = told ? due && restless : due || restless;
      const agents: ({ session: string } & Usage)[] = [];
      const calls: ({ call: string } & Usage)[] = [];
      for (const [i, session] of sessions.entries()) {
        // one after the other, so that a look is short
        const slow = i % TURNS === turn;
        if (told && !slow && !forPolicy) continue;
        if (slow) this.#sample(session.cgroup, { session: session.id, scope: 'session' }, t);
        if (slow || forPolicy) {
          const usage = this.#sample(session.agent, { session: session.id, scope: 'agent' }, t, slow);
          if (usage) agents.push({ session: session.id, ...usage });
        }
        for (const call of session.calls.values()) {
          if (call.state === 'background' && !slow && !forPolicy) continue;
          const usage = this.#sample(
            call.cgroup,
            { session: session.id, scope: 'call', call: call.id },
            t,
            !told || slow,
          );
          if (usage) calls.push({ call: call.id, ...usage });
          // the kernel tells the peak of each process at its end
          if (told) continue;
          for (const pid of call.cgroup.procs().slice(0, MAX_PROCESSES)) {
            const process = peakResident(pid);
            if (process && process.rssBytes > (call.peakProcess?.rssBytes ?? 0)) call.peakProcess = process;
          }
        }
      }
      const tell = forPolicy || (told && agents.length > 0);
      if (tell && this.#engine.controllers.has('memory')) this.#tellPolicy(agents, calls);
    } catch (error) {
      this.#report(error, 'read usage');
    }
  }

  /** Reads these calls, of which the kernel has told something, and the node, and tells the policy. */
  look(calls: Iterable<Call>): void {
    if (!this.#engine.controllers.has('memory')) return;
    try {
      const seen = [...calls].flatMap((call) => {
        const usage = readForPolicy(call.cgroup);
        return usage ? [{ call: call.id, ...usage }] : [];
      });
      this.#tellPolicy([], seen);
    } catch (error) {
      this.#report(error, 'read usage');
    }
  }

  #tellPolicy(agents: ({ session: string } & Usage)[], calls: ({ call: string } & Usage)[]): void {
    this.#lookAtNode();
    const { root, policy } = this.#engine;
    const node = readForPolicy(root.cgroup);
    policy.send({
      type: 'samples',
      agents,
      calls,
      ...(node && { node: { ...node, swapFree: this.#node.swapFree } }),
    });
  }

  /** Free swap, how much there is for all sessions, and the node's pressure, of which the kernel works out the mean every 2 s. */
  #lookAtNode(): void {
    const now = performance.now();
    if (now - this.#node.readAt < SLOW_MS) return;
    this.#node = { readAt: now, swapFree: swapFree() };
    const { root, policy } = this.#engine;
    const bytes = capacityNow(root, policy.config);
    const { capacity } = policy.state;
    if (Math.abs(bytes - capacity) > capacity * MOVED) policy.send({ type: 'capacity', bytes });
    const pressure = root.cgroup.read('memory.pressure');
    if (pressure?.full) policy.send({ type: 'pressure', full: pressure.full.avg10 / 100 });
  }

  /** Reads a cgroup once, writes a sample of it unless `keep` is false, and returns what the policy wants to know. */
  #sample(cgroup: Cgroup, place: Place, t: number, keep = true): Usage | undefined {
    if (!this.#engine.controllers.has('memory')) return undefined;
    const reading = readUsage(cgroup);
    if (!reading) return undefined;
    if (keep) this.#traces.write(place.session, sampleOf(cgroup, reading, place, t));
    return policyUsage(reading);
  }
}

/** Free swap of the machine, bytes. */
function swapFree(): number {
  const kib = /^SwapFree:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return Number(kib ?? 0) * 1024;
}
