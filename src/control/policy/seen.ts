/** What was last read of a cgroup, and how fast it grows. */
import type { Usage } from './events.ts';

/** Who keeps the budgets: cgroup files alone, or the kernel's governor, which tells of growth at once and holds it to a rate exactly. */
interface Ruled {
  governed: boolean;
}

/** What differs by who keeps the budgets. */
export const tiered = <T>({ governed }: Ruled, of: { files: T; governed: T }): T => (governed ? of.governed : of.files);

/** What was last read of a cgroup, and what follows from it. */
export interface Seen {
  readonly current: number;
  readonly anon: number;
  readonly inactiveFile: number;
  readonly swap: number;
  readonly refaults: number;
  /** current less inactive file: what is needed */
  readonly working: number;
  /** growth of `working`, bytes per second, smoothed, never negative */
  readonly rate: number;
  /** the same, believed so late that a page now and then is no growth to end a call for */
  readonly steady: number;
  /** what comes back after it was reclaimed though in use, bytes per second, smoothed like `rate` */
  readonly thrash: number;
  readonly at: number;
}

export const nothingSeen = (at: number): Seen => ({
  current: 0,
  anon: 0,
  inactiveFile: 0,
  swap: 0,
  refaults: 0,
  working: 0,
  rate: 0,
  steady: 0,
  thrash: 0,
  at,
});

/**
 * A rise and a fall of growth are believed after about this long, milliseconds. The governor's kernel tells of growth every few
 * milliseconds: so one sees sooner there that a burst is over; but one huge page between two looks is no gigabyte a second.
 */
const RATE_WINDOW = {
  files: { rise: 0, steady: 0, fall: 250 },
  governed: { rise: 50, steady: 250, fall: 150 },
};

/**
 * Growth of now, bytes per second. Where the kernel tells of growth no news is that there is none: what was seen last falls as if that
 * were seen, from the time on by which the next news would have come.
 */
export function rateOf({ governed }: Ruled, seen: Seen, now: number, which: 'rate' | 'steady' = 'rate'): number {
  const since = now - seen.at - RATE_WINDOW.governed.rise;
  return governed && since > 0 ? seen[which] * Math.exp(-since / RATE_WINDOW.governed.fall) : seen[which];
}

/** The governor's word: from now on it grows no faster than this, bytes per second. */
export const heldTo = (seen: Seen, pace: number): Seen => ({
  ...seen,
  rate: Math.min(seen.rate, pace),
  steady: Math.min(seen.steady, pace),
});

/** What refaults are counted in, bytes. */
const PAGE = 4096;

/** The reading that follows `seen`. */
export function look(state: Ruled, seen: Seen, u: Usage, now: number): Seen {
  const inactiveFile = Math.min(u.inactiveFile ?? 0, u.current);
  const working = u.current - inactiveFile;
  const dt = now - seen.at;
  const refaults = u.refaults ?? seen.refaults;
  let { rate, steady, thrash } = seen;
  if (dt > 0) {
    const fresh = Math.max(0, ((working - seen.working) * 1000) / dt);
    // a fall is believed later than a rise: growth in steps is still growth
    const window = tiered(state, RATE_WINDOW);
    const { fall } = window;
    const follow = (of: number, rise: number) => {
      const old = Math.exp(-dt / (fresh >= of ? rise : fall));
      const now = of * old + fresh * (1 - old);
      return now < 1024 ? 0 : now;
    };
    rate = follow(rate, window.rise);
    steady = follow(steady, window.steady);
    const keep = Math.exp(-dt / fall);
    // what was reclaimed a moment ago may come back in one piece
    thrash = thrash * keep + (((refaults - seen.refaults) * PAGE * 1000) / dt) * (1 - keep);
    if (thrash < 1024) thrash = 0;
  }
  return {
    current: u.current,
    anon: u.anon ?? working,
    inactiveFile,
    swap: u.swap ?? seen.swap,
    refaults,
    working,
    rate,
    steady,
    thrash,
    at: now,
  };
}
