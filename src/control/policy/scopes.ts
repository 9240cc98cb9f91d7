/** Where memory has a limit: the node, tenants with a budget, sessions with a budget. The ladder looks at each alike. */
import type { Draft } from './draft.ts';
import { rateOf, tiered } from './seen.ts';
import { agentNeed, type Call, marks, rankOf, type Session, type State, sessionBudget } from './state.ts';
import { WORTH } from './victims.ts';

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

/** The reserve for agents is no larger part of a limit than one in so many. */
const AGENTS = { files: 64, governed: 128 };
/**
 * What agents may come to need, bytes; only a small part of the limit: agents hardly grow, not all at once, and an unused reserve is of no
 * use to anyone. Where the kernel tells of growth at once and holds the others to what is left, half of that will do.
 */
export const reserveOf = (state: State, sessions: number, limit: number): number =>
  Math.min(state.config.session.agentReserve * sessions, limit / tiered(state, AGENTS));

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
  const reserve = reserveOf(d.state, sessions.length, limit);
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
 * How much headroom is left, by whom, as parts of the critical mark. In this order, or a call stands still without anybody seeing why:
 * who is held back, at the door or to a pace, leaves most (`held`; `found` once a call with priority holds its memory: the room that it
 * was to find has found its taker); below `starved` one that runs free and grows is short of memory; the kernel stops low-priority
 * growth at `guard`, which only the governor has; and no hard ceiling gives away the rest, for kernel memory, page tables, samples of late:
 * less where growth is held to a rate, as there is nothing to allow for what a call grows until the daemon has looked again.
 */
export const LEFT = {
  files: { held: 1, found: 1, starved: 1, spared: 1 / 2 },
  governed: { held: 1, found: 5 / 8, starved: 3 / 8, guard: 1 / 4, spared: 1 / 4 },
};

/** Headroom that no hard ceiling gives away, bytes. */
export const sparedOf = (d: Draft, s: Scope): number => s.critical * tiered(d.state, LEFT).spared;

/** Below this headroom, bytes, who runs free and grows is short of memory. */
export const starvedBelow = (d: Draft, s: Scope): number => s.critical * tiered(d.state, LEFT).starved;

/** What others take in this part of the horizon is left as well: less where the kernel tells of growth at once and paces are exact. */
const TAKEN = { files: 1, governed: 1 / 3 };

/** Headroom that calls which are held back leave to those who run free, bytes: a part of the mark, and what these are about to take. */
export function leftBy(d: Draft, s: Scope): number {
  const { held, found } = tiered(d.state, LEFT);
  const taken = (s.growth * d.state.config.ladder.horizon) / 1000;
  const holds = (c: Call) => c.phase !== 'background' && rankOf(d.state, c, d.now) === 2 && c.seen.working >= WORTH;
  return s.critical * (s.calls.some(holds) ? found : held) + taken * tiered(d.state, TAKEN);
}
