/** The memory governor: what a leaf under a growth budget may grow by. */
import type { Group, Memory } from './tree.ts';

/** As in bpf/budget.bpf.h. */
const NEAR_PER_SECOND = 4;
const NEAR_SLOWEST = 2 * 2 ** 20;

/** The governor's token bucket as bpf/budget.bpf.h has it. Returns how many of `wanted` bytes the leaf may grow by until `until`. */
export function grants(m: Memory, leaf: Group, wanted: number, until: number): number {
  const h = leaf.held;
  if (!h) return wanted;
  if (m.guard && h.priority === 'low') {
    const { limit, low, clear, tripped } = m.guard;
    m.guard.tripped = limit - m.root.usage < (tripped ? clear : low);
    if (m.guard.tripped) return 0;
  }
  const grade = { high: 0, normal: 1, low: 2 }[h.priority];
  const over = h.soft > 0 ? Math.min(4, Math.max(0, leaf.usage - h.soft) / h.soft) : 0;
  // near a hard ceiling rates fall with the room that is left
  const slope = Math.max(NEAR_SLOWEST, (leaf.max - leaf.usage) * NEAR_PER_SECOND);
  const gained = ((until - h.at) * Math.min(h.rate / (1 + grade * over), slope)) / 1000;
  const top = Math.max(leaf.usage + h.burst, h.soft);
  h.allowed = Math.min(h.allowed + gained, top);
  h.at = until;
  return Math.min(wanted, Math.max(0, h.allowed - leaf.usage));
}
