/** A call at work: what it comes to in one tick, as far as its memory follows. */
import { charge } from './memory.ts';
import type { SimCall } from './node.ts';
import { PAGE, refault, swapIn } from './paging.ts';
import { type Memory, uncharge } from './tree.ts';
import { demandAt, workOf } from './workload.ts';

/** Kernel memory and page tables charged beside anonymous memory. */
const KERNEL_SHARE = 1.02;
/** Bytes of page tables, stack and heap of one forked process. */
const FORKED = 256 * 1024;

/** `cpu`: fraction of its full speed. The tick is from `now` to `end`, `ms` long. */
export function work(
  m: Memory,
  c: SimCall,
  cpu: number,
  { now, ms, end }: { now: number; ms: number; end: number },
): void {
  const g = c.group;
  const p = g.pages!;
  const before = c.done;
  if (!g.frozen && now >= g.stalledUntil && !g.dead) {
    let step = ms * cpu;
    // a burst of pages is mapped in before work goes on: pages in use that are missing slow it down
    step *= swapIn(m, g, now, end);
    const held = demandAt(c.spec, c.done);
    if (p.hotFile < held.hot - PAGE && c.done > 0) step *= refault(m, g, held.hot, now, end);
    const want = demandAt(c.spec, c.done + step);
    const forked = c.spec.forksPerSecond ? fork(c, ms) : 0;
    const target = want.anon * KERNEL_SHARE + forked;
    const there = p.anon + p.swapped;
    if (!g.dead && target < there) uncharge(g, 'anon', there - target);
    else if (!g.dead && target - there >= PAGE) {
      const got = charge(m, g, 'anon', target - there, now, end);
      // work is only done as far as its memory has come
      step *= got / (target - there);
    }
    if (!g.dead && want.hot > p.hotFile)
      charge(m, g, 'hotFile', Math.max(0, want.hot - Math.max(held.hot, p.hotFile)), now, end);
    else if (!g.dead && want.hot < p.hotFile) uncharge(g, 'hotFile', p.hotFile - want.hot);
    if (!g.dead && c.spec.reads) charge(m, g, 'coldFile', (c.spec.reads * step) / workOf(c.spec), now, end);
    c.done += step;
  }
  c.peak = Math.max(c.peak, g.usage);
  c.still = c.done - before < (ms * cpu) / 10 ? c.still + ms : 0;
  c.longestStill = Math.max(c.longestStill, c.still);
}

/** A fork bomb doubles its like until its limit stops it. Returns the bytes its processes take. */
function fork(c: SimCall, ms: number): number {
  const wanted = c.pids + (c.spec.forksPerSecond! * ms) / 1000;
  if (wanted > c.pidsMax) c.pidsEvents++;
  c.pids = Math.min(wanted, c.pidsMax);
  c.group.processes = Math.max(1, c.pids);
  return c.pids * FORKED;
}
