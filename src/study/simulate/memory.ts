/**
 * A model of the memory controller of cgroup v2, good enough to test policies against: charges walk up the tree; at a limit
 * the kernel reclaims below it, then kills; above memory.high the charger sleeps. Sizes are bytes, times milliseconds.
 *
 * Kept from the kernel: hierarchical limits; the memory governor's budgets where one is in charge; reclaim takes cold file pages before hot ones and, with swap, anonymous
 * memory; memory.low holds while anything unprotected is left, memory.min always, both only against ancestors; the
 * quadratic penalty of memory.high; oom_score_adj; memory.oom.group of the highest ancestor inside the OOM domain.
 * Left out: LRU ages inside a class of pages, zones, THP, the per-CPU stock.
 */

import { grants } from './governor.ts';
import { account, type Group, isBelow, leavesOf, type Memory, type Pages } from './tree.ts';

const BATCH = 64 * 4096;
const PAGE = 4096;
/** The kernel's MEMCG_MAX_HIGH_DELAY_JIFFIES: 2 s. */
const LONGEST_STALL = 2000;
/** How long a daemon takes to answer a breach, milliseconds: inotify and a write took 2 to 6 on an idle machine, up to 37 on a busy one. */
const ANSWER = 10;
/** HZ/100: shorter penalties are not slept. */
const SHORTEST_STALL = 10;

/** Is any group from the leaf up to, not including, `domain` still below its protection? */
function guarded(leaf: Group, domain: Group, by: 'low' | 'min'): boolean {
  for (let g: Group | undefined = leaf; g && g !== domain; g = g.parent)
    if (g.usage > Math.max(g[by], g.min)) return false;
  return true;
}

/** Takes up to `want` bytes from one leaf; cold file first, then hot, then anonymous memory to swap. */
function takeFrom(m: Memory, leaf: Group, want: number, anonToo: boolean): number {
  const p = leaf.pages!;
  let left = want;
  const cold = Math.min(left, p.coldFile);
  p.coldFile -= cold;
  left -= cold;
  if (anonToo) {
    const hot = Math.min(left, p.hotFile);
    p.hotFile -= hot;
    left -= hot;
    const out = Math.min(left, p.anon, m.swapFree);
    p.anon -= out;
    p.swapped += out;
    m.swapFree -= out;
    left -= out;
  }
  account(leaf, left - want);
  return want - left;
}

/** Reclaims below `domain`, as memory.reclaim and a limit do. Returns the bytes freed. */
export function reclaim(m: Memory, domain: Group, want: number): number {
  const leaves = leavesOf(domain);
  let left = Math.ceil(want);
  for (const by of ['low', 'min'] as const)
    for (const anonToo of [false, true])
      for (const leaf of leaves) {
        if (left <= 0) return want;
        if (leaf !== domain && guarded(leaf, domain, by)) continue;
        left -= takeFrom(m, leaf, left, anonToo);
      }
  return want - left;
}

/** Kills a leaf as the OOM killer's victim: the process, or the highest group inside the domain that has oom.group. */
function oomKill(m: Memory, domain: Group): void {
  // the last victim has not let go of its memory yet: the kernel waits for it
  if (m.oomKilled.some(({ leaf }) => isBelow(leaf, domain))) return;
  let victim: Group | undefined;
  let worst = Number.NEGATIVE_INFINITY;
  const total = Number.isFinite(domain.max) ? domain.max : m.root.max;
  for (const leaf of leavesOf(domain)) {
    const p = leaf.pages!;
    // oom_badness: the largest process, page tables ignored; adj -1000 exempts
    if (leaf.oomScoreAdj <= -1000) continue;
    const points = (p.anon + p.swapped) / leaf.processes + (leaf.oomScoreAdj / 1000) * total;
    if (points > worst) {
      worst = points;
      victim = leaf;
    }
  }
  if (!victim) return;
  let whole: Group | undefined;
  for (let g: Group | undefined = victim; g; g = g.parent) {
    if (g.oomGroup) whole = g;
    if (g === domain) break;
  }
  for (const leaf of whole ? leavesOf(whole) : [victim]) {
    leaf.oomKills++;
    leaf.dead = true;
    m.oomKilled.push({ leaf, domain });
  }
}

/** Penalty of one 64-page batch above memory.high, as calculate_high_delay does it (HZ = 250). */
export function highPenalty(usage: number, high: number): number {
  if (usage <= high) return 0;
  const overage = Math.floor(((usage - high) * 2 ** 20) / Math.max(high, PAGE));
  const jiffies = (overage * overage * 250) / 2 ** 34;
  return Math.min(jiffies * 4, LONGEST_STALL);
}

/**
 * Charges up to `wanted` bytes to a leaf in the time from `now` to `until`. Returns what was charged: less when the charger slept
 * above memory.high (it may sleep beyond `until`), or when a limit could not be met and somebody was killed for it.
 */
export function charge(
  m: Memory,
  leaf: Group,
  kind: keyof Omit<Pages, 'swapped'>,
  wanted: number,
  now: number,
  until: number,
): number {
  // whole bytes only: fractions would add up
  const bytes = Math.floor(grants(m, leaf, wanted, until));
  const perMs = bytes / Math.max(1, until - now);
  let end = bytes;
  let done = 0;
  let clock = Math.max(now, leaf.stalledUntil);
  while (done < end && clock < until && !leaf.dead) {
    // far from every limit the rest goes in one piece
    let step = end - done;
    for (let g: Group | undefined = leaf; g; g = g.parent) {
      const room = Math.min(g.high, g.max) - g.usage;
      if (room < step) step = Math.max(room, Math.min(BATCH, end - done));
    }
    for (let g: Group | undefined = leaf; g; g = g.parent) {
      const excess = g.usage + step - g.max;
      if (excess <= 0) continue;
      g.maxEvents++;
      if (reclaim(m, g, excess) < excess) {
        oomKill(m, g);
        return done;
      }
    }
    leaf.pages![kind] += step;
    account(leaf, step);
    done += step;
    let penalty = 0;
    for (let g: Group | undefined = leaf; g; g = g.parent) {
      if (g.usage <= g.high) continue;
      // who watches memory.events answers soon: what comes after that is for the next tick
      if (g.usage - step <= g.high) end = Math.min(end, done + Math.ceil(perMs * ANSWER));
      g.highEvents++;
      const excess = g.usage - g.high;
      if (reclaim(m, g, excess) < excess) penalty = Math.max(penalty, highPenalty(g.usage, g.high));
    }
    if (penalty >= SHORTEST_STALL) {
      clock += penalty * Math.max(1, step / BATCH);
      leaf.stalledUntil = clock;
    }
  }
  return done;
}
