/** Pages that come back: what was reclaimed though it was in use. */
import { charge } from './memory.ts';
import type { Group, Memory } from './tree.ts';

export const PAGE = 4096;
/** How fast file pages come back from disk, and a quarter of it from swap. Bytes per millisecond: 200 MiB/s. */
const FAULT_SPEED = (200 * 2 ** 20) / 1000;
/** A call whose pages are all out still crawls on. */
const CRAWL = 0.05;

/** Brings file pages in use back between `now` and `end`. Returns the fraction of them that is present. */
export function refault(m: Memory, leaf: Group, hot: number, now: number, end: number): number {
  const p = leaf.pages!;
  const missing = hot - p.hotFile;
  if (missing < PAGE) return 1;
  leaf.refaults += charge(m, leaf, 'hotFile', Math.min(missing, FAULT_SPEED * (end - now)), now, end) / PAGE;
  return Math.max(CRAWL, p.hotFile / hot);
}

/** The same for anonymous pages in swap. */
export function swapIn(m: Memory, leaf: Group, now: number, end: number): number {
  const p = leaf.pages!;
  if (p.swapped < PAGE) return 1;
  const back = charge(m, leaf, 'anon', Math.min(p.swapped, (FAULT_SPEED / 4) * (end - now)), now, end);
  p.swapped = Math.max(0, p.swapped - back);
  m.swapFree += back;
  leaf.refaults += back / PAGE;
  return Math.max(CRAWL, p.anon / (p.anon + p.swapped));
}
