/**
 * Bands as growth budgets, for a kernel that can hold back what grows (the memory governor): what memory.high is on the
 * cgroup tier. The daemon writes them with each change; the kernel keeps them whether the daemon answers or not.
 */
import type { Priority } from '../../model/index.ts';
import { LEFT, reserveOf } from './scopes.ts';
import { marks, rankOf, type State, sessionBudget } from './state.ts';

/** How fast one cgroup may grow. */
export interface GrowthBudget {
  /** Bytes per second. */
  rate: number;
  /** Bytes it may grow at once after growing slower. */
  burst: number;
  /** Bytes of usage below which it is never held. */
  soft: number;
  priority: Priority;
}

/** The node's guard: what its limit leaves must not fall below `low` by the growth of low-priority calls. Bytes. */
export interface GuardBudget {
  limit: number;
  low: number;
  clear: number;
}

/**
 * A breach of a soft ceiling is answered within this long, even by a slow daemon on a slow machine: so long the hard ceiling is not
 * reached. Who has priority is slowed down less. Milliseconds.
 */
const ANSWER = { high: 250, normal: 1000, low: 1000 } as const;
/** Faster than memory can be touched: never held by its own budget, yet counted when the guard holds it. */
const FREE = { rate: 1e12, burst: 2 ** 30, soft: 0 };
/** A huge page: less would hold at every charge. */
const BURST = 2 ** 21;
/**
 * However little lies between soft and hard ceiling: slower would be a standstill, and that is the ladder's to decide, which must see
 * that it grows.
 */
const SLOWEST = 2 * 2 ** 20;

const priorities = ['low', 'normal', 'high'] as const;

/** From its soft ceiling on it may reach the hard one no sooner than a breach is answered. */
const between = (soft: number, hard: number, priority: Priority) =>
  Math.max(SLOWEST, ((hard - soft) * 1000) / ANSWER[priority]);

const enforced = ({ config, tenants }: State, tenant: string): boolean =>
  !config.dryRun && tenants[tenant]?.mode === 'enforce';

/** The budget of a call; undefined: none, not even the guard may hold it (mode observe or off), or it is gone. */
export function callGrowth(state: State, id: string, now: number): GrowthBudget | undefined {
  const call = state.calls[id];
  if (!call || !enforced(state, call.tenant)) return undefined;
  const priority = priorities[rankOf(state, call, now)]!;
  if (call.rung === 'throttled') return { rate: call.pace, burst: BURST, soft: 0, priority };
  const { high, max } = call.applied;
  if (high === 'max' || max === 'max') return { ...FREE, priority };
  return { rate: between(high, max, priority), burst: BURST, soft: high, priority };
}

/** The budget of all that a limit stands above: from its low mark on, no more than half of that mark until we have answered. */
function belowLimit(state: State, limit: number | undefined): GrowthBudget {
  // the priorities are the calls' own
  if (limit === undefined) return { ...FREE, priority: 'high' };
  const { low, critical } = marks(state.config, limit);
  return { rate: between(limit - low, limit - critical, 'high'), burst: BURST, soft: limit - low, priority: 'high' };
}

export function sessionGrowth(state: State, id: string): GrowthBudget | undefined {
  const session = state.sessions[id];
  if (!session || !enforced(state, session.tenant)) return undefined;
  return belowLimit(state, sessionBudget(state.config, session));
}

export function tenantGrowth(state: State, name: string): GrowthBudget | undefined {
  if (!state.tenants[name] || !enforced(state, name)) return undefined;
  return belowLimit(state, state.tenants[name]?.budget ?? undefined);
}

/**
 * The node's marks, in terms of what is charged: page cache that can be had back counts as room. `stoppedMs`: for how long the guard
 * has stopped low-priority growth without a break. It is there for what outruns the paces of throttles, and leaves a quarter of the
 * critical mark, half of what they leave at least: whom it stops cannot be told from one who needs nothing, and near that quarter who
 * runs free is to be seen to starve. Like a throttle it gives way in time: to an eighth after the longest throttle, altogether after the
 * longest freeze. Undefined: nobody may be held.
 */
export function guardBudget(state: State, stoppedMs: number): GuardBudget | undefined {
  const { config, capacity, node, sessions } = state;
  const { throttleMax, freezeSlice } = config.ladder;
  if (config.dryRun || stoppedMs >= freezeSlice) return undefined;
  const { critical } = marks(config, capacity);
  const low = critical * LEFT.governed.guard * (stoppedMs < throttleMax ? 1 : 1 / 2);
  const reserve = reserveOf(state, Object.keys(sessions).length, capacity);
  const cache = node ? node.current - node.working : 0;
  return { limit: capacity - reserve + cache, low, clear: low * 1.25 };
}

/**
 * Once it has given way, the guard does not come back for so long, milliseconds: a rest, and the time after which who starves is seen to.
 * Whom it stops again before cannot be told from one who needs nothing.
 */
export const guardRest = ({ config: { ladder } }: State): number => ladder.rest + ladder.killAfter;
