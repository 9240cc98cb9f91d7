/**
 * A model of the memory controller of cgroup v2, good enough to test policies against: charges walk up the tree; at a limit
 * the kernel reclaims below it, then kills; above memory.high the charger sleeps. Sizes are bytes, times milliseconds.
 *
 * Kept from the kernel: hierarchical limits; the memory governor's budgets where one is in charge; reclaim takes cold file pages before hot ones and, with swap, anonymous
 * memory; memory.low holds while anything unprotected is left, memory.min always, both only against ancestors; the
 * quadratic penalty of memory.high; oom_score_adj; memory.oom.group of the highest ancestor inside the OOM domain.
 * Left out: LRU ages inside a class of pages, zones, THP, the per-CPU stock.
 */

import type { GrowthBudget, GuardBudget } from '../../control/policy/index.ts';

export type Limit = number;
export const NO_LIMIT: Limit = Number.POSITIVE_INFINITY;

/** What a group of processes holds; only leaves have one. */
export interface Pages {
  anon: number;
  /** File pages in use: when they are reclaimed they fault back in. */
  hotFile: number;
  /** File pages nobody will miss. */
  coldFile: number;
  swapped: number;
}

/** What the memory governor keeps of a cgroup: a growth budget of the policy, and the line usage must stay below. */
export interface Held extends GrowthBudget {
  allowed: number;
  /** When the line was last moved, milliseconds. */
  at: number;
}

export interface Group {
  readonly name: string;
  readonly parent: Group | undefined;
  readonly children: Group[];
  readonly pages: Pages | undefined;
  usage: number;
  min: number;
  low: number;
  high: Limit;
  max: Limit;
  oomGroup: boolean;
  oomScoreAdj: number;
  /** How many equal processes share the leaf's anonymous memory. */
  processes: number;
  frozen: boolean;
  dead: boolean;
  /** Kept by the governor, where one is in charge. */
  held: Held | undefined;
  /** The charger sleeps until then. */
  stalledUntil: number;
  /** Counters of memory.events and memory.stat. */
  highEvents: number;
  maxEvents: number;
  oomKills: number;
  refaults: number;
}

export interface Memory {
  readonly root: Group;
  /** The governor's: low-priority growth stops while the root leaves less than `low`, until it leaves `clear`. */
  guard: (GuardBudget & { tripped: boolean }) | undefined;
  swapFree: number;
  /** Leaves killed by the OOM killer since the last look, and the group whose limit it was. */
  readonly oomKilled: { leaf: Group; domain: Group }[];
}

const BATCH = 64 * 4096;
const PAGE = 4096;
/** The kernel's MEMCG_MAX_HIGH_DELAY_JIFFIES: 2 s. */
const LONGEST_STALL = 2000;
/** How long a daemon takes to answer a breach, milliseconds: inotify and a write took 2 to 6 on an idle machine, up to 37 on a busy one. */
const ANSWER = 10;
/** HZ/100: shorter penalties are not slept. */
const SHORTEST_STALL = 10;

export function group(name: string, parent: Group | undefined, leaf: boolean): Group {
  const g: Group = {
    name,
    parent,
    children: [],
    pages: leaf ? { anon: 0, hotFile: 0, coldFile: 0, swapped: 0 } : undefined,
    usage: 0,
    min: 0,
    low: 0,
    high: NO_LIMIT,
    max: NO_LIMIT,
    oomGroup: false,
    oomScoreAdj: 0,
    processes: 1,
    frozen: false,
    held: undefined,
    dead: false,
    stalledUntil: 0,
    highEvents: 0,
    maxEvents: 0,
    oomKills: 0,
    refaults: 0,
  };
  parent?.children.push(g);
  return g;
}

export function memory(capacity: number, swap: number): Memory {
  const root = group('root', undefined, false);
  root.max = capacity;
  return { root, guard: undefined, swapFree: swap, oomKilled: [] };
}

function account(leaf: Group, bytes: number): void {
  for (let g: Group | undefined = leaf; g; g = g.parent) g.usage += bytes;
}

export function leavesOf(g: Group, into: Group[] = []): Group[] {
  if (g.pages && !g.dead) into.push(g);
  for (const c of g.children) leavesOf(c, into);
  return into;
}

/** Frees `bytes` of a leaf's own accord (munmap, exit). */
export function uncharge(leaf: Group, kind: 'anon' | 'hotFile' | 'coldFile', bytes: number): void {
  const freed = Math.min(Math.floor(bytes), leaf.pages![kind]);
  leaf.pages![kind] -= freed;
  account(leaf, -freed);
}

/** Frees everything and takes the leaf out of the tree. */
export function destroy(m: Memory, leaf: Group): void {
  const p = leaf.pages!;
  m.swapFree += p.swapped;
  account(leaf, -leaf.usage);
  p.anon = p.hotFile = p.coldFile = p.swapped = 0;
  leaf.dead = true;
  remove(leaf);
}

export function remove(g: Group): void {
  const at = g.parent?.children.indexOf(g) ?? -1;
  if (at >= 0) g.parent!.children.splice(at, 1);
}

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

function isBelow(leaf: Group, domain: Group): boolean {
  for (let g: Group | undefined = leaf; g; g = g.parent) if (g === domain) return true;
  return false;
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

/** As in bpf/budget.bpf.h. */
const NEAR_PER_SECOND = 4;
const NEAR_SLOWEST = 2 * 2 ** 20;

/** The governor's token bucket as bpf/budget.bpf.h has it. Returns how many of `wanted` bytes the leaf may grow by until `until`. */
function grants(m: Memory, leaf: Group, wanted: number, until: number): number {
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
