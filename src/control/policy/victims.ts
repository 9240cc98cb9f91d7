/** Who gives way first: the lowest rank, then the largest overage over its fair share, then the youngest. */
import type { Draft } from './draft.ts';
import { rateOf } from './seen.ts';
import { type Call, rankOf } from './state.ts';

/**
 * Fair share of each running call, bytes: what agents leave of the node, divided among tenants with running calls by
 * weight (bounded by their budget), then evenly among such sessions, then among calls. A declared need below that is the
 * share: who says less and uses more is over.
 */
export function fairShares(d: Draft): Map<string, number> {
  const { state } = d;
  const calls = d.present;
  const usable = d.sessions.reduce((n, s) => n - s.agent.working, state.capacity);
  const perSession = new Map<string, number>();
  const sessionsOf = new Map<string, Set<string>>();
  for (const c of calls) {
    perSession.set(c.session, (perSession.get(c.session) ?? 0) + 1);
    const set = sessionsOf.get(c.tenant) ?? new Set();
    sessionsOf.set(c.tenant, set.add(c.session));
  }
  let weights = 0;
  for (const name of sessionsOf.keys()) weights += state.tenants[name]!.weight;
  const shares = new Map<string, number>();
  for (const c of calls) {
    const tenant = state.tenants[c.tenant]!;
    const ofTenant = Math.min((Math.max(usable, 0) * tenant.weight) / weights, tenant.budget ?? Number.MAX_VALUE);
    const share = ofTenant / sessionsOf.get(c.tenant)!.size / perSession.get(c.session)!;
    shares.set(c.id, Math.floor(typeof c.hint.memory === 'number' ? Math.min(share, c.hint.memory) : share));
  }
  return shares;
}

/** The end of a call that holds less is of no use to others, bytes. */
export const WORTH = 16 * 2 ** 20;
/** A call that has just begun may yet become what it is to become, milliseconds. */
const YOUNG = 3000;

/**
 * Does anybody get memory by the end of this call, or does it need any that others leave to it? Not of a `sleep 60`, or a shell that
 * waits for a server: nobody is paused, or waits, for its sake.
 */
export const matters = (d: Draft, c: Call): boolean =>
  c.seen.working >= WORTH || wants(d, c) || (c.need >= WORTH && d.now - c.startedAt < YOUNG);

/** Calls in the order in which they give way. Overages that differ by less than a 32nd of the node count as equal. */
export function victimOrder(d: Draft, calls: Call[]): Call[] {
  const shares = fairShares(d);
  const granule = Math.max(d.state.capacity / 32, 1);
  const key = new Map(
    calls.map((c) => [
      c.id,
      // who is within its share has none, however little it uses: of those the elder one gets through first
      {
        rank: rankOf(d.state, c, d.now),
        over: Math.max(0, Math.floor((c.seen.working - (shares.get(c.id) ?? 0)) / granule)),
      },
    ]),
  );
  return calls.toSorted((a, b) => {
    const x = key.get(a.id)!;
    const y = key.get(b.id)!;
    return x.rank - y.rank || y.over - x.over || b.number - a.number;
  });
}

/** Growth below this is not worth a pause, bytes per second. */
const GROWTH = 1 << 20;
/**
 * What is read back faster than this was taken from what a call works with, bytes per second: a thousand faults, which on a fast disk
 * are a tenth of its time, on a slow one all of it.
 */
const THRASH = 4 << 20;
/** A call waits for memory when what it needs came this near to its soft ceiling, bytes or part of the ceiling. */
const NEAR = 1 << 20;
const NEAR_PART = 1 / 32;

/** How long a breach counts, milliseconds. */
const RECENT = 1000;

/**
 * Does the call want more memory now? It grows; or what it needs is taken from it as fast as it comes back, so that it stands
 * still without growing, at a ceiling of its own or of its parents; or it has just run into its soft ceiling with what it needs.
 * A ceiling that only its page cache has reached is no want (the kernel recycles that), and being near one is none either.
 */
export const wants = (d: Draft, c: Call): boolean =>
  rateOf(d.state, c.seen, d.now) > GROWTH ||
  c.seen.thrash > THRASH ||
  (c.breachedAt !== null &&
    d.now - c.breachedAt <= RECENT &&
    c.applied.high !== 'max' &&
    c.seen.working >= c.applied.high - Math.max(NEAR, c.applied.high * NEAR_PART));
