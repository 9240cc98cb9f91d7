/**
 * Bands, not caps. Each running call has a floor (memory.low), a soft ceiling (memory.high) and a hard one (memory.max).
 * The hard ceiling is what it uses plus a credit; the credits of all calls together are the headroom, so that
 *   - whoever runs alone may use everything that is free,
 *   - the hard ceilings of what runs at once stay below the parent's limit, with a reserve for agents, kernel memory and
 *     page tables: an OOM is then always a call's own, where memory.oom.group works, never the parent's, where any
 *     process may be chosen.
 * Credits move with every sample and every breach of a soft ceiling; a breach costs nothing while there is headroom.
 */
import type { Action, Applied, Ceiling, Target } from './actions.ts';
import { type Draft, modeOf } from './draft.ts';
import { type Scope, scopesOf, sparedOf } from './scopes.ts';
import { type Call, nothingApplied, rankOf, type Session, sessionBudget, type Tenant } from './state.ts';
import { wants } from './victims.ts';

const MIB = 2 ** 20;
/** Credit by rank: low, normal, high. */
const rankWeight = [1, 4, 16];

/** Changes smaller than an eighth are not worth a write. */
const differs = (a: number, b: number) => Math.abs(a - b) > Math.max(a, b) / 8;

/** What is applied then. */
function write(d: Draft, target: Target, applied: Applied, want: Partial<Applied>): Applied {
  const changed: { -readonly [K in keyof Applied]?: Applied[K] } = {};
  if (want.min !== undefined && differs(want.min, applied.min)) changed.min = want.min;
  if (want.low !== undefined && differs(want.low, applied.low)) changed.low = want.low;
  if (want.high !== undefined && want.high !== applied.high) changed.high = want.high;
  if (want.max !== undefined && want.max !== applied.max) changed.max = want.max;
  if (Object.keys(changed).length === 0) return applied;
  d.actions.push({ type: 'bands', target, ...changed } as Action);
  return { ...applied, ...changed };
}

/** Nothing is in force where nothing is enforced, or no longer; but a session keeps the budget that it was made with. */
function lift(d: Draft): void {
  const left = (of: Call | Session | Tenant) => modeOf(d, of) !== 'enforce';
  for (const c of d.present.filter(left))
    if (c.rung !== 'killed') c.applied = write(d, { kind: 'call', call: c.id }, c.applied, nothingApplied());
  for (const s of d.sessions.filter(left)) {
    s.applied = write(d, { kind: 'agent', session: s.id }, s.applied, nothingApplied());
    const ofSession: Applied = { ...nothingApplied(), max: s.ownBudget ?? 'max' };
    s.sessionApplied = write(d, { kind: 'session', session: s.id }, s.sessionApplied, ofSession);
  }
  for (const t of Object.values(d.state.tenants).filter(left))
    t.applied = write(d, { kind: 'tenant', tenant: t.name }, t.applied, nothingApplied());
}

/**
 * Protection: agents by their baseline, high-priority calls by what they need, tenants by their guarantee. To the kernel a floor is worth
 * what all those above it are worth: each of them has the sum, up to the root of the tree.
 */
export function protect(d: Draft): void {
  const { state } = d;
  const { session: limits } = state.config;
  lift(d);
  const ofTenants = new Map<string, { min: number; low: number }>();
  const callLow = new Map<string, number>();
  for (const c of d.present) {
    if (modeOf(d, c) !== 'enforce' || c.rung === 'killed') continue;
    const low = rankOf(state, c, d.now) === 2 ? c.seen.working : 0;
    c.applied = write(d, { kind: 'call', call: c.id }, c.applied, { low });
    callLow.set(c.session, (callLow.get(c.session) ?? 0) + c.applied.low);
  }
  for (const s of d.sessions) {
    if (modeOf(d, s) !== 'enforce') continue;
    const low = Math.round(s.baseline);
    // a throttle that an earlier daemon left is lifted as well
    const high = s.throttledSince === null ? 'max' : s.applied.high;
    const ofAgent = { min: Math.round(low / 2), low, high, max: limits.agentMax };
    s.applied = write(d, { kind: 'agent', session: s.id }, s.applied, ofAgent);
    const ofSession = low + (callLow.get(s.id) ?? 0);
    s.sessionApplied = write(d, { kind: 'session', session: s.id }, s.sessionApplied, {
      min: s.applied.min,
      low: ofSession,
      max: sessionBudget(state.config, s) ?? 'max',
    });
    const sum = ofTenants.get(s.tenant) ?? { min: 0, low: 0 };
    ofTenants.set(s.tenant, { min: sum.min + s.applied.min, low: sum.low + ofSession });
  }
  const floor = { min: 0, low: 0 };
  for (const t of Object.values(state.tenants)) {
    if (modeOf(d, t) !== 'enforce') continue;
    const { min, low } = ofTenants.get(t.name) ?? { min: 0, low: 0 };
    const ofTenant = { min, low: Math.max(t.guarantee, low), max: t.budget ?? 'max' } as const;
    t.applied = write(d, { kind: 'tenant', tenant: t.name }, t.applied, ofTenant);
    floor.min += t.applied.min;
    floor.low += t.applied.low;
  }
  state.applied = write(d, { kind: 'node' }, state.applied, floor);
}

/** A slow daemon looks again, and answers a breach, within so long. Milliseconds. */
const ANSWER = 300;

/** Where the kernel slows growth down before a hard ceiling, the way to come to a halt: some huge pages of each of several workers. Bytes. */
const HALT = 32 * MIB;

/** What a call that had to wait may take at once: a shell and an interpreter are loaded. Bytes. */
const BEGIN = 12 * MIB;

/** The distance between soft and hard ceiling: what it grows until we have answered a breach, before it is a kill. */
function gap(d: Draft, c: Call, credit: number): number {
  if (rankOf(d.state, c, d.now) < 2) {
    const answered = Math.min(credit / 2, Math.max(credit / 8, (c.seen.rate * ANSWER) / 1000));
    // who waited was let in for less than it may come to take: it begins at a pace, from its first huge pages on
    const young = d.state.governed && c.held && d.now - c.startedAt < BIRTH;
    return young ? Math.max(answered, credit - BEGIN) : answered;
  }
  // nobody knows how fast one with priority that rests will begin to grow; nor is it to be slowed down for long
  return d.state.governed ? Math.min(credit / 2, Math.max(credit / 4, HALT)) : credit / 2;
}

/** Credits of all calls in a scope together. */
const pool = (d: Draft, s: Scope) => Math.max(0, s.headroom - sparedOf(d, s));

/** No ceiling is lowered to less than this above what is needed. */
const slack = (s: Scope) => Math.max(MIB, Math.min(8 * MIB, s.critical / 2 / Math.max(s.calls.length, 1)));

/** What a call needs by the time a ceiling is written: it has grown since it was looked at, unless it was frozen then. */
const needs = (d: Draft, c: Call) =>
  c.rung === 'frozen' && c.seen.at > c.rungSince
    ? c.seen.working
    : c.seen.working + (c.seen.rate * Math.min(d.now - c.seen.at + ANSWER, 1000)) / 1000;

/** An eighth above memory.high a charger sleeps 1 s for each 256 KiB: that far a throttled call does not come. */
const BRAKE = { part: 1.125, more: 8 * MIB } as const;

/** Where a throttled call comes to a halt: by that brake, or because the governor keeps the pace until it is looked at again. */
const throttleEnd = (d: Draft, c: Call) =>
  d.state.governed ? c.seen.working + c.pace / 2 + BRAKE.more : c.pacedTo * BRAKE.part + BRAKE.more;

/** The soft ceiling of a throttled call: where its pace has come to, as far as the hard one leaves it the way to come to a halt. */
const throttledHigh = (c: Call, max: number) =>
  Math.max(Number(c.applied.high), Math.min(c.pacedTo, Math.floor((max - BRAKE.more) / BRAKE.part)));

/** Is there room to throttle a call that runs: for its brake, beside those of the calls that are throttled already? */
export function brakeFits(d: Draft, s: Scope, call: Call): boolean {
  if (d.state.governed) return true;
  let brakes = call.seen.working * (BRAKE.part - 1) + BRAKE.more;
  for (const c of s.calls) if (c.rung === 'throttled') brakes += Math.max(0, throttleEnd(d, c) - c.seen.working);
  return brakes <= pool(d, s) / 2;
}

/** Who needs memory now gets most of it; who does not keeps enough to begin to. Paused calls get nothing. */
const weightOf = (d: Draft, c: Call) =>
  c.rung === 'none'
    ? rankWeight[rankOf(d.state, c, d.now)]! * d.state.tenants[c.tenant]!.weight * (wants(d, c) ? 8 : 1)
    : 0;

/** What a call with priority may come to need before it is looked at again: 95 of 100 recorded commands never took more. Bytes. */
const BURST = 128 * MIB;

/**
 * What a call can use until it is looked at again, and room to begin with: more is of no use to it yet. One with priority finds room for
 * its burst before it has begun, though others grow already: the governor holds these to what is left. Bytes.
 */
function wish(d: Draft, c: Call): number {
  const rate = wants(d, c) ? c.seen.rate : 0;
  const burst = d.state.governed && rankOf(d.state, c, d.now) === 2 ? Math.min(c.need, BURST) : 0;
  return d.state.config.ladder.minCredit + Math.max(rate, burst);
}

/**
 * Credits of a scope's calls: by weight, but what is more than one can use goes to the others first. A call with priority does not
 * take from the others what it leaves unused for the next second.
 */
function creditsOf(d: Draft, s: Scope): Map<Call, number> {
  const running = s.calls.filter((c) => weightOf(d, c) > 0);
  let left = pool(d, s);
  // who has priority finds room to begin, whoever else needs what; where the kernel holds all others to a rate it does anyhow
  const first = d.state.governed ? [] : running.filter((c) => rankOf(d.state, c, d.now) === 2);
  const begin = Math.min(d.state.config.ladder.minCredit, left / Math.max(1, first.length));
  left -= begin * first.length;
  // a throttle must not be a kill: what its brake needs comes next, of half the pool at most
  const brake = (c: Call) => (c.rung === 'throttled' ? Math.max(0, throttleEnd(d, c) - c.seen.working) : 0);
  const brakes = s.calls.reduce((n, c) => n + brake(c), 0);
  const part = brakes > 0 ? Math.min(1, left / 2 / brakes) : 0;
  left -= part * brakes;
  const credits = new Map(s.calls.map((c) => [c, part * brake(c) + (first.includes(c) ? begin : 0)]));
  const weigh = (calls: Call[]) => calls.reduce((n, c) => n + weightOf(d, c), 0);
  const give = (c: Call, bytes: number) => {
    credits.set(c, credits.get(c)! + bytes);
    left -= bytes;
  };
  // who wishes for least by its weight is served first: then one pass is enough
  let waiting = running.toSorted((a, b) => wish(d, a) / weightOf(d, a) - wish(d, b) / weightOf(d, b));
  for (const c of [...waiting]) {
    give(c, Math.min(wish(d, c), (left * weightOf(d, c)) / weigh(waiting)));
    waiting = waiting.slice(1);
  }
  const rest = left;
  for (const c of running) give(c, (rest * weightOf(d, c)) / weigh(running));
  return credits;
}

/** Divides the pools of all scopes: each call gets the least that any of its scopes gives it. Bytes of hard ceiling. */
function shares(d: Draft, scopes: Scope[]): Map<string, number> {
  const hard = new Map<string, number>();
  for (const s of scopes)
    for (const [c, credit] of creditsOf(d, s))
      hard.set(c.id, Math.min(hard.get(c.id) ?? Number.MAX_SAFE_INTEGER, Math.floor(c.seen.working + credit)));
  return hard;
}

/** What a call is born with it keeps for so long, milliseconds: a shell and an interpreter are loaded faster than we look again. */
const BIRTH = 1000;

/** Sets the ceilings of calls: raises who comes near, lowers others only when the sum demands it. */
export function bands(d: Draft): void {
  const calls = d.present.filter((c) => modeOf(d, c) === 'enforce' && c.rung !== 'killed');
  if (calls.length === 0) return;
  const scopes = scopesOf(d);
  const maxOf = (c: Call) => (c.applied.max === 'max' ? Number.MAX_SAFE_INTEGER : c.applied.max);
  const near = (c: Call) => {
    if (c.rung === 'throttled')
      return d.state.governed
        ? c.rungSince === d.now || throttleEnd(d, c) - c.pace / 4 - 4 * MIB > maxOf(c)
        : c.rungSince === d.now || c.pacedTo > Number(c.applied.high);
    if (c.rung !== 'none') return false;
    if (c.applied.high === 'max' || c.applied.max === 'max') return true;
    return wants(d, c) && c.seen.working + c.seen.rate * 0.25 > c.applied.high - Math.max(4 * MIB, c.applied.high / 32);
  };
  // the hard ceilings together may not exceed what is used and the pool
  const overdrawn = scopes.some(
    (s) => s.calls.reduce((n, c) => n + maxOf(c) - c.seen.working, 0) > pool(d, s) + slack(s) * s.calls.length,
  );
  if (!overdrawn && !calls.some(near)) return;
  const limit = d.state.config.call.memoryMax ?? Number.MAX_SAFE_INTEGER;
  const hard = shares(d, scopes);
  const wanted = calls.map((c) => {
    const share = Math.min(hard.get(c.id)!, limit);
    // never below what it needs, its own cache may go; but a ceiling is only raised out of the pool
    const least = Math.ceil(
      Math.max(
        needs(d, c) + slack(scopes[0]!),
        c.rung === 'throttled' ? throttleEnd(d, c) : 0,
        c.applied.max === 'max' || d.now - c.startedAt < BIRTH ? d.state.config.ladder.minCredit : 0,
      ),
    );
    return { c, max: share >= maxOf(c) ? share : Math.max(share, Math.min(least, maxOf(c))) };
  });
  // lower first: the sum never exceeds the room on the way
  const rise = ({ c, max }: { c: Call; max: number }) => (c.applied.max === 'max' ? max : max - c.applied.max);
  for (const { c, max } of wanted.toSorted((a, b) => rise(a) - rise(b))) {
    const credit = Math.max(0, max - c.seen.working);
    if (Math.abs(maxOf(c) - max) < credit / 16 && !near(c)) continue;
    const high: Ceiling = c.rung === 'throttled' ? throttledHigh(c, max) : Math.floor(max - gap(d, c, credit));
    c.applied = write(d, { kind: 'call', call: c.id }, c.applied, { max, high });
  }
}
