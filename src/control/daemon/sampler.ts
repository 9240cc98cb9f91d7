import type { SampleRecord } from '../../model/index.ts';
import type { Cgroup } from '../cgroup/index.ts';
import type { Engine } from './engine.ts';
import { peakResident } from './processes.ts';
import type { TraceStore } from './trace-store.ts';
import { sampleOf } from './usage.ts';

/** How often running calls are looked at: their memory, and which process is the largest. */
const CALL_INTERVAL_MS = 100;
/** How often a session and its agent leaf are. */
const SESSION_INTERVAL_MS = 1000;
/** A call with more processes than this is looked at in part: reading /proc of each costs about 20 us. */
const MAX_PROCESSES = 64;

/** Writes usage samples to the traces and notes each call's largest process. Idle while no session runs. */
export class Sampler {
  readonly #engine: Engine;
  readonly #traces: TraceStore;
  readonly #timer: NodeJS.Timeout;
  #rounds = 0;

  constructor(engine: Engine, traces: TraceStore) {
    this.#engine = engine;
    this.#traces = traces;
    this.#timer = setInterval(() => this.#round(), CALL_INTERVAL_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #round(): void {
    const t = Date.now();
    const whole = this.#rounds++ % (SESSION_INTERVAL_MS / CALL_INTERVAL_MS) === 0;
    for (const session of this.#engine.sessions.values()) {
      if (session.state !== 'running') continue;
      if (whole) {
        this.#write(session.cgroup, { session: session.id, scope: 'session' }, t);
        this.#write(session.agent, { session: session.id, scope: 'agent' }, t);
      }
      for (const call of session.calls.values()) {
        // a background call is steady: once a second is enough
        if (call.state === 'background' && !whole) continue;
        this.#write(call.cgroup, { session: session.id, scope: 'call', call: call.id }, t);
        for (const pid of call.cgroup.procs().slice(0, MAX_PROCESSES)) {
          const process = peakResident(pid);
          if (process && process.rssBytes > (call.peakProcess?.rssBytes ?? 0)) call.peakProcess = process;
        }
      }
    }
  }

  #write(cgroup: Cgroup, place: Pick<SampleRecord, 'session' | 'scope' | 'call'>, t: number): void {
    if (!this.#engine.controllers.has('memory')) return;
    const sample = sampleOf(cgroup, place, t);
    if (sample) this.#traces.write(place.session, sample);
  }
}
