import type { Cgroup } from '../cgroup/index.ts';
import { enlist } from '../native/index.ts';

/** A tree that keeps forking is chased so many times. */
const MOST_PASSES = 20;

/** Gives all processes of a cgroup the policy SCHED_EXT, those too that are forked meanwhile. */
export function enlistAll(cgroup: Cgroup): void {
  const done = new Set<number>();
  // what is forked meanwhile inherits the policy, or is found on the next pass
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    const more = cgroup.procs().filter((pid) => !done.has(pid));
    if (more.length === 0) return;
    for (const pid of more) {
      done.add(pid);
      if (!enlist(pid)) return;
    }
  }
}
