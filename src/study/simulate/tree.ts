/** The tree of groups and what each of them holds, as memory.current has it. */
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

export function account(leaf: Group, bytes: number): void {
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

export function isBelow(leaf: Group, domain: Group): boolean {
  for (let g: Group | undefined = leaf; g; g = g.parent) if (g === domain) return true;
  return false;
}
