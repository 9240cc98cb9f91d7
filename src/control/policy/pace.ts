/** How fast throttled calls may grow: at a pace that follows the room that is left. */
import type { Draft } from './draft.ts';
import type { PolicyEvent } from './events.ts';
import { leftBy, type Scope, scopesOf } from './scopes.ts';
import { heldTo, tiered } from './seen.ts';
import type { Call } from './state.ts';
import { victimOrder } from './victims.ts';

/** A throttled call may still grow by this much per second, bytes. */
export const TRICKLE = 1 << 20;

/** The room that is left is not used up sooner than this by those who are held to a pace, milliseconds: sooner where paces are exact. */
const USED_UP = { files: 500, governed: 200 };

/**
 * What all throttled calls of a scope together may take per second, of the room above what they leave. The less is left the slower they
 * are, and while there is some they get on.
 */
const roomOf = (d: Draft, s: Scope): number => ((s.headroom - leftBy(d, s)) * 1000) / tiered(d.state, USED_UP);

/** The pace a throttle begins with: no more than the call grew by. */
export const firstPace = (d: Draft, s: Scope, c: Call): number =>
  Math.max(TRICKLE, Math.min(c.seen.rate, roomOf(d, s)));

/**
 * The pace of each throttled call, bytes per second. The last in the order of victims comes first and gets what it can use, twice what
 * it took lately, of three quarters of the room, and an eighth at least; what that leaves goes to the next. So one gets through its
 * growth and makes room, where all would stand halfway, and the next does not stand still for a page that another took by chance.
 */
function pacesOf(d: Draft): Map<string, number> {
  const paces = new Map<string, number>();
  for (const s of scopesOf(d)) {
    const slowed = s.calls.filter((c) => c.rung === 'throttled');
    if (slowed.length === 0) continue;
    let room = roomOf(d, s);
    for (const [i, c] of victimOrder(d, slowed).reverse().entries()) {
      const usable = i === slowed.length - 1 ? room : Math.max(Math.min(2 * c.seen.steady, (room * 3) / 4), room / 8);
      const pace = Math.max(TRICKLE, Math.min(room, usable));
      room -= pace;
      paces.set(c.id, Math.round(Math.min(pace, paces.get(c.id) ?? pace)));
    }
  }
  return paces;
}

/**
 * Headroom has moved, and so do the rates of those it slows down. Changes below a quarter are not worth a write. Without a governor the
 * soft ceiling may rise by what the pace comes to since the last look: as far as the hard one lets it (see bands).
 */
export function adjustPaces(d: Draft, event: PolicyEvent): void {
  if (event.type !== 'samples') return;
  const paces = pacesOf(d);
  for (const c of d.present) {
    const pace = paces.get(c.id);
    if (pace === undefined || c.rungSince === d.now) continue;
    const moved = Math.abs(pace - c.pace) > c.pace / 4;
    if (moved) c.pace = pace;
    if (d.state.governed && moved) {
      c.pacedAt = d.now;
      c.seen = heldTo(c.seen, pace);
      d.actions.push({ type: 'pace', call: c.id, bytesPerSecond: pace });
    } else if (!d.state.governed) {
      const step = (c.pace * (d.now - c.pacedAt)) / 1000;
      const high = Math.round(Math.min(c.pacedTo + step, Math.max(c.pacedTo, c.seen.working + 2 * step)));
      if (high - c.pacedTo < TRICKLE) continue;
      c.pacedTo = high;
      c.pacedAt = d.now;
    }
  }
}
