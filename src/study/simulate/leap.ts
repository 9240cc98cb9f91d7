/** How far a node may be moved on in one step without anything being lost: to the next event, while no limit is near. */
import { cpuShares } from './cpu.ts';
import type { SimCall, SimNode } from './node.ts';
import { PAGE } from './paging.ts';
import type { Group } from './tree.ts';
import { demandAt } from './workload.ts';

/** The policy does nothing about growth while four times its low mark (5 % of the node) is free. */
const FAR = 0.2;
/** No leap is longer, milliseconds. */
const LONGEST = 60_000;

/** Milliseconds to the next event of the node; 0 when something is held, paused, paged out or within reach of a limit. */
export function quietFor(node: SimNode): number {
  const { now } = node;
  let next = Math.min(LONGEST, node.horizon - now);
  if (node.control.wakeAt !== undefined) next = Math.min(next, node.control.wakeAt - now);
  for (const s of node.sessions) {
    if (s.endedAt !== undefined) continue;
    if (!s.started) next = Math.min(next, s.spec.startsAt - now);
    else if (s.waitingFor.size === 0) next = Math.min(next, s.thinkUntil - now);
    if (s.started && (s.spec.agent.growsPerSecond || s.agent.pages!.hotFile < s.spec.agent.hot - PAGE)) return 0;
  }
  const running: SimCall[] = [];
  for (const c of node.calls) {
    if (c.state === 'ended') continue;
    const { group: g, spec } = c;
    if (c.state === 'asked' || g.frozen || g.dead || now < g.stalledUntil || spec.forksPerSecond) return 0;
    if (g.pages!.swapped > 0 || g.pages!.hotFile < demandAt(spec, c.done).hot - PAGE) return 0;
    running.push(c);
  }
  const shares = cpuShares(running, node.workload.cpus, now);
  for (const c of running) next = Math.min(next, untilKnot(c) / (shares.get(c) ?? 1));
  if (next <= 0) return 0;
  return fits(node, running, next, shares) ? next : 0;
}

/** Added to the way to a knot, milliseconds: a leap that ends a rounding error before it would cost another tick. */
const BEYOND = 0.01;

/** Work until the demand of a call changes its course, or it goes to the background. */
function untilKnot(c: SimCall): number {
  const knot = c.spec.demand.find((p) => p.at > c.done)?.at ?? c.done;
  const { backgroundAfter } = c.spec;
  return (
    (backgroundAfter !== undefined && backgroundAfter > c.done ? Math.min(knot, backgroundAfter) : knot) -
    c.done +
    BEYOND
  );
}

/** Would all that grows in that time stay below every limit above it, and well below the node's? */
function fits(node: SimNode, running: readonly SimCall[], ms: number, shares: Map<SimCall, number>): boolean {
  const growth = new Map<Group, number>();
  for (const c of running) {
    const done = c.done + ms * (shares.get(c) ?? 1);
    const want = demandAt(c.spec, done);
    const p = c.group.pages!;
    // a little more than the model charges: kernel memory beside it
    const more = Math.max(0, want.anon * 1.03 - p.anon) + Math.max(0, want.hot - p.hotFile) + (c.spec.reads ?? 0);
    for (let g: Group | undefined = c.group; g; g = g.parent) growth.set(g, (growth.get(g) ?? 0) + more);
  }
  const { root } = node.memory;
  if (root.usage + (growth.get(root) ?? 0) > root.max * (1 - FAR)) return false;
  for (const [g, more] of growth) if (g.usage + more > Math.min(g.high, g.max)) return false;
  return true;
}
