/** What came of sessions, in sums that can be added up over nodes and workers. */
import type { SimSession } from '../index.ts';
import type { Drawn } from './draw.ts';

export interface Tally {
  sessions: number;
  /** Sessions whose agent was killed: all context lost. */
  agentsLost: number;
  /** Had not ended when the simulation was broken off. */
  unfinished: number;
  /** Calls by how their last attempt ended; `kills` counts attempts, whoever killed them. */
  calls: number;
  done: number;
  kills: number;
  lost: number;
  refused: number;
  /** Time from start to end over the time alone, of every session that lived: high priority, and the rest. */
  high: number[];
  rest: number[];
  /** The longest time a call stood still or was held, milliseconds. */
  longestPauseMs: number;
  /** Sums over nodes: memory in use, and memory there, byte-milliseconds; sessions there, session-milliseconds. */
  used: number;
  capacity: number;
  present: number;
}

export const emptyTally = (): Tally => ({
  sessions: 0,
  agentsLost: 0,
  unfinished: 0,
  calls: 0,
  done: 0,
  kills: 0,
  lost: 0,
  refused: 0,
  high: [],
  rest: [],
  longestPauseMs: 0,
  used: 0,
  capacity: 0,
  present: 0,
});

/** Adds `b` to `a`. */
export function addTally(a: Tally, b: Tally): Tally {
  for (const key of Object.keys(a) as (keyof Tally)[]) {
    if (key === 'high' || key === 'rest') for (const v of b[key]) a[key].push(v);
    else if (key === 'longestPauseMs') a[key] = Math.max(a[key], b[key]);
    else a[key] += b[key];
  }
  return a;
}

/** One session that is over (or was broken off). */
export function countSession(t: Tally, s: SimSession): void {
  const spec = s.spec as Drawn;
  t.sessions++;
  if (!s.alive) t.agentsLost++;
  else if (s.endedAt === undefined) t.unfinished++;
  else t[spec.priority === 'high' ? 'high' : 'rest'].push((s.endedAt - spec.startsAt) / spec.aloneMs);
  for (const c of s.calls) {
    if (c.attempt === 0) t.calls++;
    if (c.end === 'done') t.done++;
    else if (c.end === 'oom' || c.end === 'killed') t.kills++;
    else if (c.end === 'refused') t.refused++;
    else t.lost++;
    const held = c.end === 'refused' ? c.endedAt - c.askedAt : c.startedAt - c.askedAt;
    t.longestPauseMs = Math.max(t.longestPauseMs, c.longestStill, held);
  }
}
