/** Where memory has a limit: the node, tenants with a budget, sessions with a budget. The ladder looks at each alike. */
import type { Draft } from './draft.ts';
import { agentNeed, type Call, marks, rankOf, rateOf, type Session, sessionBudget } from './state.ts';

export interface Scope {
  /** Key in the state's tables: `node`, `tenant NAME`, `session ID`. */
  key: string;
  /** In words: "node", "tenant a", "session s1". */
  words: string;
  limit: number;
  low: number;
  critical: number;
  sessions: Session[];
  /** Running calls in it, frozen and killed ones included. */
  calls: Call[];
  /** Needed bytes: what is charged, less what can be had back without pain. */
  working: number;
  /** What calls can still get: limit - working - a reserve for agents to grow; may be negative. */
  headroom: number;
  /** limit - everything charged */
  free: number;
  /** Bytes per second by which what is not paused grows. */
  growth: number;
}

const scope = (d: Draft, key: string, words: string, limit: number, sessions: Session[], calls: Call[]): Scope => {
  let working = 0;
  let current = 0;
  let growth = 0;
  for (const s of sessions) {
    working += agentNeed(s, d.now, limit / sessions.length);
    current += s.agent.current;
    growth += rateOf(d.state, s.agent, d.now);
  }
  for (const c of calls) {
    working += c.seen.working;
    current += c.seen.current;
    if (c.rung === 'none') growth += rateOf(d.state, c.seen, d.now);
  }
  // what is charged to the root beside the leaves (dying cgroups, slab of removed calls) counts as well
  if (key === 'node' && d.state.node) {
    working = Math.max(working, d.state.node.working);
    current = Math.max(current, d.state.node.current);
  }
  const { low, critical } = marks(d.state.config, limit);
  // a 64th at most: agents hardly grow, not all at once, and an unused reserve is of no use to anyone
  const reserve = Math.min(d.state.config.session.agentReserve * sessions.length, limit / 64);
  return {
    key,
    words,
    limit,
    low,
    critical,
    sessions,
    calls,
    working,
    headroom: limit - working - reserve,
    free: limit - current,
    growth,
  };
};

/** All scopes, the node first. */
export function scopesOf(d: Draft): Scope[] {
  d.scopes ??= measure(d);
  return d.scopes;
}

function measure(d: Draft): Scope[] {
  const { state, sessions, present: calls } = d;
  const found = [scope(d, 'node', 'node', state.capacity, sessions, calls)];
  for (const t of Object.values(state.tenants))
    if (t.budget !== null)
      found.push(
        scope(
          d,
          `tenant ${t.name}`,
          `tenant ${t.name}`,
          t.budget,
          sessions.filter((s) => s.tenant === t.name),
          calls.filter((c) => c.tenant === t.name),
        ),
      );
  for (const s of sessions) {
    const budget = sessionBudget(state.config, s);
    if (budget === undefined) continue;
    found.push(
      scope(
        d,
        `session ${s.id}`,
        `session ${s.id}`,
        budget,
        [s],
        calls.filter((c) => c.session === s.id),
      ),
    );
  }
  return found;
}

/**
 * calm: enough headroom, now and by the horizon; short: below the low mark, or soon at the critical one; critical: below
 * that, or soon used up. Growth counts only when headroom is within sight of the low mark: a burst on a roomy node is
 * nobody's business. Between calm and short lies the hysteresis.
 */
export function levelOf(d: Draft, s: Scope): 'calm' | 'normal' | 'short' | 'critical' {
  const growth = (s.growth * d.state.config.ladder.horizon) / 1000;
  const pressure = s.key === 'node' ? d.state.pressure : 0;
  if (s.headroom < s.critical || (s.headroom < 2 * s.low && s.headroom < growth / 2) || pressure > 0.5)
    return 'critical';
  if (s.headroom < s.low || (s.headroom < 4 * s.low && s.headroom - growth < s.critical) || pressure > 0.2)
    return 'short';
  return s.headroom >= s.low * 1.25 && (s.headroom >= 4 * s.low || s.headroom - growth >= s.low) ? 'calm' : 'normal';
}

/**
 * Headroom that no hard ceiling gives away: for kernel memory, page tables, samples of late. Where the kernel holds growth to a rate less
 * is needed, as there is nothing to allow for what a call grows until the daemon has looked again.
 */
export const sparedOf = (d: Draft, s: Scope): number => s.critical / (d.state.governed ? 4 : 2);

/**
 * Headroom that calls which are held back, at the door or to a pace, leave to those who run free: the critical mark, and what these take
 * within the horizon. Where the kernel tells of growth at once and paces are exact, a quarter of that time will do, and half of the mark
 * while a call with priority runs: the room that the next of them is to find has found its taker.
 */
export function leftBy(d: Draft, s: Scope): number {
  const taken = (s.growth * d.state.config.ladder.horizon) / 1000;
  if (!d.state.governed) return s.critical + taken;
  const found = s.calls.some((c) => c.phase !== 'background' && rankOf(d.state, c, d.now) === 2);
  return s.critical / (found ? 2 : 1) + taken / 4;
}
