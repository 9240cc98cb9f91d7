/** Who gets how much CPU in one tick. */
import type { SimCall } from './node.ts';

/** Water-filling by weight: nobody gets more than it can use. Fraction of its full speed. */
export function cpuShares(running: SimCall[], cpus: number, now: number): Map<SimCall, number> {
  const shares = new Map<SimCall, number>();
  let left = cpus;
  let open = running.filter((c) => !c.group.frozen && now >= c.group.stalledUntil);
  const wanted = open.reduce((n, c) => n + (c.spec.cpus ?? 1), 0);
  if (wanted <= left) return shares;
  while (open.length > 0) {
    const weights = open.reduce((n, c) => n + c.cpuWeight, 0);
    const sated = open.filter((c) => (left * c.cpuWeight) / weights >= (c.spec.cpus ?? 1));
    if (sated.length === 0) {
      for (const c of open) shares.set(c, (left * c.cpuWeight) / weights / (c.spec.cpus ?? 1));
      return shares;
    }
    for (const c of sated) {
      shares.set(c, 1);
      left -= c.spec.cpus ?? 1;
    }
    open = open.filter((c) => !sated.includes(c));
  }
  return shares;
}
