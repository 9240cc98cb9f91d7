/** One node of a fleet: sessions come and go, what came of them is counted. */
import { SimNode, type SimSession } from '../index.ts';
import type { Arm } from './arms.ts';
import type { Drawn } from './draw.ts';
import { countSession, emptyTally, type Tally } from './tally.ts';

export interface NodeOptions {
  nodeBytes: number;
  /** Infinity: CPU is never short. */
  cpus: number;
  /** Resolution near limits, milliseconds. */
  tickMs: number;
  leaps: boolean;
}

export const coarse = { tickMs: 250, leaps: true } as const;
export const fine = { tickMs: 50, leaps: false } as const;

export class FleetNode {
  readonly sim: SimNode;
  readonly tally: Tally = emptyTally();
  readonly #counts: (s: SimSession) => boolean;

  /** `counts`: which sessions are counted (those of a warm-up are not). */
  constructor(options: NodeOptions, arm: Arm, counts: (s: SimSession) => boolean = () => true) {
    const { nodeBytes, cpus, tickMs, leaps } = options;
    this.sim = new SimNode({ capacity: nodeBytes, swap: 0, cpus, sessions: [] }, tickMs, arm.flat, leaps);
    this.sim.control = arm.control(this.sim);
    this.#counts = counts;
  }

  get now(): number {
    return this.sim.now;
  }

  add(d: Drawn): void {
    this.sim.add(d);
  }

  /** On to `until` (or a tick beyond). Returns the sessions that have ended. */
  advance(until: number): SimSession[] {
    const { sim, tally } = this;
    sim.horizon = until;
    const over: SimSession[] = [];
    while (sim.now < until) {
      if (sim.sessions.length === 0) {
        tally.capacity += sim.workload.capacity * (until - sim.now);
        sim.now = until;
        break;
      }
      const from = sim.now;
      const before = sim.memory.root.usage;
      sim.tick();
      const ms = sim.now - from;
      tally.used += ((before + sim.memory.root.usage) / 2) * ms;
      tally.capacity += sim.workload.capacity * ms;
      tally.present += sim.sessions.length * ms;
      for (const s of sim.forget()) {
        if (this.#counts(s)) countSession(tally, s);
        over.push(s);
      }
      if (over.length > 0) break;
    }
    return over;
  }

  /** Counts what has not ended. */
  breakOff(): void {
    for (const s of this.sim.sessions) if (s.started && this.#counts(s)) countSession(this.tally, s);
  }
}
