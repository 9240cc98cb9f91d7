/** The policy's actions, carried out on a simulated node as the daemon carries them out on cgroup files. */
import { type Action, type Ceiling, KILL_MARGIN, type Target } from '../../control/policy/index.ts';
import type { SimCall, SimNode } from './node.ts';
import type { Group } from './tree.ts';

/** `governed`: the kernel's governor keeps the growth of calls, in the place of memory.high. */
export function carryOut(node: SimNode, a: Exclude<Action, { type: 'wake' }>, governed: boolean): void {
  switch (a.type) {
    case 'bands': {
      const g = groupOf(node, a.target);
      if (!g || g === node.memory.root) return;
      if (a.min !== undefined) g.min = a.min;
      if (a.low !== undefined) g.low = a.low;
      const max = ceiling(a.max);
      if (max !== undefined && wouldKill(g, max)) return;
      if (!governed || a.target.kind !== 'call') g.high = ceiling(a.high) ?? g.high;
      if (max !== undefined) {
        if (g.usage > max) node.reclaim(g, g.usage - max);
        g.max = max;
      }
      if (g.usage <= g.high) g.stalledUntil = Math.min(g.stalledUntil, node.now);
      return;
    }
    case 'throttle':
    case 'unthrottle': {
      const g = groupOf(node, a.target);
      if (g && (!governed || a.target.kind !== 'call')) g.high = ceiling(a.high)!;
      return;
    }
    case 'weight': {
      const c = a.target.kind === 'call' ? callOf(node, a.target.call) : undefined;
      if (c) c.cpuWeight = a.cpu;
      return;
    }
    case 'pids': {
      const c = callOf(node, a.call);
      if (c) c.pidsMax = a.max;
      return;
    }
    case 'reclaim': {
      const g = groupOf(node, a.target);
      if (g && g !== node.memory.root) node.reclaim(g, a.bytes);
      return;
    }
    case 'freeze':
    case 'thaw': {
      const c = callOf(node, a.call);
      if (c) c.group.frozen = a.type === 'freeze';
      return;
    }
    case 'admit': {
      const c = callOf(node, a.call);
      if (c) {
        node.start(c);
        c.cpuWeight = 100;
      }
      return;
    }
    case 'refuse': {
      const c = callOf(node, a.call);
      if (c) node.refuse(c);
      return;
    }
    case 'kill': {
      const c = callOf(node, a.call);
      if (c) node.kill(c, a.reason);
      return;
    }
    case 'hold':
    case 'advise':
    case 'pace':
      return;
  }
}

const callOf = (node: SimNode, id: string): SimCall | undefined => node.calls.find((c) => c.id === id);

function groupOf(node: SimNode, t: Target): Group | undefined {
  switch (t.kind) {
    case 'tenant':
      return node.tenants.get(t.tenant);
    case 'session':
      return node.sessions.find((s) => s.spec.id === t.session)?.group;
    case 'agent':
      return node.sessions.find((s) => s.spec.id === t.session)?.agent;
    case 'call':
      return callOf(node, t.call)?.group;
  }
}

/** As the daemon has it: cache may go for a lower ceiling; what is needed may not, and the next samples show it. */
const wouldKill = (g: Group, max: number): boolean =>
  max < g.max && g.usage - (g.pages?.coldFile ?? 0) + KILL_MARGIN > max;

/** A ceiling as the memory model has it: bytes, infinite for none. */
const ceiling = (c: Ceiling | undefined): number | undefined =>
  c === 'max' ? Number.POSITIVE_INFINITY : c && Math.floor(c);
