/**
 * Bands, not caps. Each running call has a floor (memory.low), a soft ceiling (memory.high) and a hard one (memory.max).
 * The hard ceiling is what it uses plus a credit; the credits of all calls together are the headroom, so that
 *   - whoever runs alone may use everything that is free,
 *   - the hard ceilings of what runs at once stay below the parent's limit, with a reserve for agents, kernel memory and
 *     page tables: an OOM is then always a call's own, where memory.oom.group works, never the parent's, where any
 *     process may be chosen.
 * Credits move with every sample and every breach of a soft ceiling; a breach costs nothing while there is headroom.
 */
import type { Action, Ceiling, Target } from './actions.ts';
import { type Draft, modeOf, present } from './draft.ts';
import { type Scope, scopesOf } from './scopes.ts';
import { type Applied, type Call, rankOf } from './state.ts';

const MIB = 2 ** 20;
/** Credit by rank: low, normal, high. */
const rankWeight = [1, 4, 16];

/** Changes smaller than an eighth are not worth a write. */
const differs = (a: number, b: number) => Math.abs(a - b) > Math.max(a, b) / 8;

function write(d: Draft, target: Target, applied: Applied, want: Partial<Applied>): void {
  const changed: Partial<Applied> = {};
  if (want.min !== undefined && differs(want.min, applied.min)) changed.min = want.min;
  if (want.low !== undefined && differs(want.low, applied.low)) changed.low = want.low;
  if (want.high !== undefined && want.high !== applied.high) changed.high = want.high;
  if (want.max !== undefined && want.max !== applied.max) changed.max = want.max;
  if (Object.keys(changed).length === 0) return;
  Object.assign(applied, changed);
  d.actions.push({ type: 'bands', target, ...changed } as Action);
}

/** Protection: agents by their baseline, high-priority calls by what they need, tenants by their guarantee. */
export function protect(d: Draft): void {
  const { state } = d;
  const { session: limits } = state.config;
  const lowOfTenant = new Map<string, number>();
  const callLow = new Map<string, number>();
  for (const c of present(state)) {
    if (modeOf(d, c) !== 'enforce' || c.rung === 'killed') continue;
    const low = rankOf(state, c, d.now) === 2 ? c.seen.working : 0;
    write(d, { kind: 'call', call: c.id }, c.applied, { low });
    callLow.set(c.session, (callLow.get(c.session) ?? 0) + c.applied.low);
  }
  for (const s of Object.values(state.sessions)) {
    if (modeOf(d, s) !== 'enforce') continue;
    const low = Math.round(s.baseline);
    write(d, { kind: 'agent', session: s.id }, s.applied, { min: Math.round(low / 2), low, max: limits.agentMax });
    const ofSession = low + (callLow.get(s.id) ?? 0);
    write(d, { kind: 'session', session: s.id }, s.sessionApplied, {
      min: s.applied.min,
      low: ofSession,
      max: limits.budget ?? 'max',
    });
    lowOfTenant.set(s.tenant, (lowOfTenant.get(s.tenant) ?? 0) + ofSession);
  }
  for (const t of Object.values(state.tenants)) {
    if (t.mode !== 'enforce' || state.config.dryRun) continue;
    const low = Math.max(t.guarantee, lowOfTenant.get(t.name) ?? 0);
    write(d, { kind: 'tenant', tenant: t.name }, t.applied, { low, max: t.budget ?? 'max' });
  }
}

/** The distance between soft and hard ceiling: time for us to answer a breach before it is a kill. */
const gap = (s: Scope, credit: number) => Math.min(credit / 2, Math.max(2 * MIB, Math.min(credit / 4, s.low / 2)));

/** What agents may take of a scope at any time: what they use or used to use, and some growth. */
function agentsShare(d: Draft, s: Scope): number {
  const reserve = Math.min(d.state.config.session.agentReserve, s.limit / 8 / Math.max(s.sessions.length, 1));
  return s.sessions.reduce((n, x) => n + Math.max(x.agent.working, x.baseline) + reserve, 0);
}

/** Room for the hard ceilings of all calls in a scope together. */
const room = (d: Draft, s: Scope) => s.limit - s.critical - agentsShare(d, s);

/** A paused call gets no credit, only this slack, so that the pause is not a kill. */
const slack = (s: Scope) => Math.max(MIB, Math.min(8 * MIB, s.critical / 2 / Math.max(s.calls.length, 1)));

const weightOf = (d: Draft, c: Call) => {
  if (c.rung !== 'none') return 0;
  const growing = 1 + Math.min(8, c.seen.rate / (64 * MIB));
  return rankWeight[rankOf(d.state, c, d.now)]! * d.state.tenants[c.tenant]!.weight * growing;
};

/** Distributes the room of all scopes: each call gets the least that any of its scopes gives it. Bytes of hard ceiling. */
function shares(d: Draft, scopes: Scope[]): Map<string, number> {
  const hard = new Map<string, number>();
  for (const s of scopes) {
    const pool = Math.max(0, room(d, s) - s.calls.reduce((n, c) => n + c.seen.working, 0));
    const weights = s.calls.reduce((n, c) => n + weightOf(d, c), 0);
    for (const c of s.calls) {
      const credit = Math.max(weights > 0 ? (pool * weightOf(d, c)) / weights : 0, slack(s));
      hard.set(c.id, Math.min(hard.get(c.id) ?? Number.MAX_SAFE_INTEGER, Math.floor(c.seen.working + credit)));
    }
  }
  return hard;
}

/** Sets the ceilings of calls: raises who comes near, lowers others only when the sum demands it. */
export function bands(d: Draft): void {
  const calls = present(d.state).filter((c) => modeOf(d, c) === 'enforce' && c.rung !== 'killed');
  if (calls.length === 0) return;
  const scopes = scopesOf(d);
  const maxOf = (c: Call) => (c.applied.max === 'max' ? Number.MAX_SAFE_INTEGER : c.applied.max);
  const near = (c: Call) => {
    if (c.rung !== 'none') return false;
    if (c.applied.high === 'max' || c.applied.max === 'max') return true;
    return c.seen.current + c.seen.rate * 0.25 > c.applied.high - 4 * MIB;
  };
  const overdrawn = scopes.some((s) => s.calls.reduce((n, c) => n + maxOf(c), 0) > room(d, s));
  if (!overdrawn && !calls.some(near)) return;
  const limit = d.state.config.call.memoryMax ?? Number.MAX_SAFE_INTEGER;
  const hard = shares(d, scopes);
  const rise = (x: { c: Call; want: number }) => (x.c.applied.max === 'max' ? x.want : x.want - x.c.applied.max);
  const ordered = calls
    .map((c) => ({ c, want: Math.min(hard.get(c.id)!, limit) }))
    // lower first: the sum never exceeds the room on the way
    .toSorted((a, b) => rise(a) - rise(b));
  for (const { c, want } of ordered) {
    // cache above the ceiling is reclaimed first: a ceiling is never written below usage
    const max = Math.max(want, c.seen.current + slack(scopes[0]!));
    const credit = max - c.seen.current;
    const high: Ceiling = c.rung === 'throttled' ? c.applied.high : Math.floor(max - gap(scopes[0]!, credit));
    const old = maxOf(c);
    if (Math.abs(old - max) < credit / 16 && !near(c)) continue;
    write(d, { kind: 'call', call: c.id }, c.applied, { max, high });
  }
}
