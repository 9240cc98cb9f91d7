/** What runs in a simulated node: sessions of agents that think and start tool calls. Plain data. */
import type { Priority } from '../../model/index.ts';

/** A point of a demand curve: after `at` ms of undisturbed work the call holds this much. Linear in between. */
export interface DemandPoint {
  at: number;
  /** Anonymous memory, bytes. */
  anon: number;
  /** File pages in use, bytes. */
  hot?: number;
}

export interface CallSpec {
  /** The last point's `at` is the work of the call: its duration when nothing disturbs it. */
  demand: DemandPoint[];
  /** Bytes of files read once and cached, spread over the work. */
  reads?: number;
  /** CPUs it can use. */
  cpus?: number;
  /** Equal processes that share its memory. */
  processes?: number;
  /** New processes per second, never ending: a fork bomb. */
  forksPerSecond?: number;
  /** The shell returns after this much work; the rest goes on in the background. */
  backgroundAfter?: number;
  hint?: string;
  /** The command, for its class. */
  command?: string;
  /** Run again so many times when it was killed. */
  retries?: number;
}

/** The agent thinks, then starts calls side by side and waits for all of them. */
export interface Turn {
  think: number;
  calls: CallSpec[];
}

export interface SessionSpec {
  id: string;
  tenant: string;
  priority?: Priority;
  startsAt: number;
  /** Anonymous memory of the agent itself, bytes, and its file pages. */
  agent: { anon: number; hot: number; cold?: number; growsPerSecond?: number };
  turns: Turn[];
}

export interface Workload {
  /** Bytes for all sessions together. */
  capacity: number;
  swap: number;
  cpus: number;
  sessions: SessionSpec[];
}

/** Undisturbed duration of a call, milliseconds. */
export const workOf = (c: CallSpec): number => c.demand.at(-1)?.at ?? 0;

/** The most a call ever holds, bytes. */
export const peakOf = (c: CallSpec): number => c.demand.reduce((n, p) => Math.max(n, p.anon + (p.hot ?? 0)), 0);

/** Demand after `done` ms of work. */
export function demandAt(c: CallSpec, done: number): { anon: number; hot: number } {
  const { demand } = c;
  let before: DemandPoint = { at: 0, anon: 0, hot: 0 };
  for (const p of demand) {
    if (done < p.at) {
      const f = (done - before.at) / (p.at - before.at);
      return {
        anon: before.anon + (p.anon - before.anon) * f,
        hot: (before.hot ?? 0) + ((p.hot ?? 0) - (before.hot ?? 0)) * f,
      };
    }
    before = p;
  }
  return { anon: before.anon, hot: before.hot ?? 0 };
}
