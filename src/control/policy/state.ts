/** The policy's memory: plain, JSON-serialisable data. Times are of the caller's clock, milliseconds; sizes bytes. */
import type { Config, Mode, Priority, TenantConfig } from '../../model/index.ts';
import { parseConfig } from '../../model/index.ts';
import type { Applied } from './actions.ts';
import type { CommandClass } from './command.ts';
import type { Hint } from './hint.ts';
import type { Seen } from './seen.ts';

/** Refault-guided reclaim of one cgroup, as senpai does it. */
export interface ReclaimMark {
  readonly last: number;
  readonly bytes: number;
  readonly refaults: number;
  /** No reclaim before this time. */
  readonly notBefore: number;
}

export interface Tenant {
  name: string;
  guarantee: number;
  budget: number | null;
  weight: number;
  priority: Priority;
  mode: Mode;
  applied: Applied;
  /** CPU and IO weight in force; null: none of ours. */
  weighs: number | null;
}

export interface Session {
  id: string;
  tenant: string;
  /** In force: what it asked for, or its tenant's, which is the highest it can have. */
  priority: Priority;
  /** What it asked for itself; null: as configured. */
  ownPriority: Priority | null;
  ownBudget: number | null;
  startedAt: number;
  /** What the agent needs while nothing runs: learned, rises slowly, falls quickly. */
  baseline: number;
  agent: Seen;
  applied: Applied;
  sessionApplied: Applied;
  /** CPU and IO weight in force; null: none of ours. */
  weighs: number | null;
  reclaim: ReclaimMark;
  /** Since when no call runs or waits; null while one does. */
  idleSince: number | null;
  /** Set while the agent leaf itself is throttled as a runaway. */
  throttledSince: number | null;
  /** The runaway is not throttled again before this time. */
  restUntil: number;
  reported: boolean;
}

export type Rung = 'none' | 'throttled' | 'frozen' | 'killed';

export interface Call {
  id: string;
  session: string;
  tenant: string;
  /** Order of arrival; the tie breaker everywhere. */
  number: number;
  phase: 'held' | 'admitted' | 'running' | 'background';
  hint: Hint;
  class: CommandClass;
  /** Hinted or typical need, bytes, bounded by the budgets. */
  need: number;
  requestedAt: number;
  /** Was told to wait. */
  held: boolean;
  startedAt: number;
  backgroundAt: number | null;
  seen: Seen;
  applied: Applied;
  reclaim: ReclaimMark;
  pids: number;
  pidsMax: number;
  /** Since when it keeps hitting its limit of processes; and the last time. */
  pidsSince: number | null;
  pidsLast: number;
  /** The last time it ran into its soft or hard ceiling. */
  breachedAt: number | null;
  rung: Rung;
  rungSince: number;
  /** How fast it may grow while throttled, bytes per second: kept by the kernel's governor, where there is one. */
  pace: number;
  /** Without a governor: where its pace lets its soft ceiling be, bytes, and since when. */
  pacedTo: number;
  pacedAt: number;
  /** Key of the scope that is short, while it is paused. */
  pausedFor: string | null;
  /** Pauses spent before the current one. */
  throttledMs: number;
  frozenMs: number;
  /** Not paused again before this time. */
  restUntil: number;
  /** When an observed (not enforced) decision about it was last said. */
  observedAt: number | null;
}

export interface State {
  config: Config;
  /** Memory for all sessions together. */
  capacity: number;
  swapFree: number;
  /** The root of the tree as last read; null until then. */
  node: { current: number; working: number } | null;
  /** The kernel's governor is in charge: a throttle is a rate that holds, and does what a freeze does for memory. */
  governed: boolean;
  /** Memory PSI full, 0 to 1. */
  pressure: number;
  tenants: Record<string, Tenant>;
  sessions: Record<string, Session>;
  calls: Record<string, Call>;
  /** In force at the root of the tree. */
  applied: Applied;
  nextNumber: number;
  /** By scope (node, tenant or session): since when a call there cannot get the memory it wants. */
  starvedSince: Record<string, number>;
  /** By scope: since when memory is not short there. */
  calmSince: Record<string, number>;
  /** By scope: last pause or kill, so that its effect is seen before the next. */
  actedAt: Record<string, number>;
  /** The timer asked for. */
  wakeAt: number | null;
}

export const nothingApplied = (): Applied => ({ min: 0, low: 0, high: 'max', max: 'max' });
export const neverReclaimed = (): ReclaimMark => ({ last: -1e12, bytes: 0, refaults: 0, notBefore: -1e12 });

/** A table by id. Without a prototype, because ids are names that others choose. */
export const table = <T>(): Record<string, T> => Object.create(null) as Record<string, T>;

/** The state before anything is known. `capacity` in bytes. */
export function initialState(config: Config, capacity: number): State {
  return {
    config,
    capacity,
    swapFree: 0,
    node: null,
    governed: false,
    pressure: 0,
    tenants: table(),
    sessions: table(),
    calls: table(),
    applied: nothingApplied(),
    nextNumber: 1,
    starvedSince: table(),
    calmSince: table(),
    actedAt: table(),
    wakeAt: null,
  };
}

const defaultTenant: TenantConfig = parseConfig({ tenants: { default: {} } }).tenants.default!;

/** A tenant as configured; one that is not named in the configuration has the defaults. */
export function tenantOf(config: Config, name: string): Omit<Tenant, 'applied' | 'weighs'> {
  const t = Object.hasOwn(config.tenants, name) ? config.tenants[name]! : defaultTenant;
  return {
    name,
    guarantee: t.guarantee,
    budget: t.budget ?? null,
    weight: t.weight,
    priority: t.priority,
    mode: t.mode ?? config.mode,
  };
}

/** Where memory becomes short, for a limit of so many bytes: below `low` and below `critical` bytes of headroom. */
export function marks(config: Config, limit: number): { low: number; critical: number } {
  const { headroom } = config.node;
  const byShare = Math.min(Math.max(limit * 0.05, 64 * 2 ** 20), 4 * 2 ** 30);
  // however small the limit, half of it is always usable
  const low = Math.min(headroom.low ?? byShare, limit / 2);
  return { low, critical: Math.min(headroom.critical ?? low / 2, low) };
}

export const rankOfPriority: Record<Priority, number> = { high: 2, normal: 1, low: 0 };

/**
 * Does what was last seen call for another look soon: somebody waits or is paused, or grows where memory is about to be short? `more`:
 * bytes that are, or soon will be, used beyond that.
 */
export function isRestless({ calls, config, capacity, node }: State, more = 0): boolean {
  if (node && capacity - node.working - more < 4 * marks(config, capacity).low) return true;
  for (const id in calls) if (calls[id]!.rung !== 'none' || calls[id]!.phase === 'held') return true;
  return false;
}

/** A call that grows, as the kernel told just now: its bytes, and those per second. */
export interface Growing {
  id: string;
  usage: number;
  growth: number;
}

/**
 * May a decision follow before `ms` milliseconds are over, when these go on like this? Not while there is room for all, and each stays
 * below its soft ceiling for so long.
 */
export function mattersWithin(state: State, growing: Iterable<Growing>, ms: number): boolean {
  let more = 0;
  for (const { id, usage, growth } of growing) {
    const call = state.calls[id];
    if (!call) continue;
    const then = usage + (Math.max(0, growth) * ms) / 1000;
    if (call.applied.high !== 'max' && then >= call.applied.high) return true;
    more += Math.max(0, then - call.seen.current);
  }
  return isRestless(state, more);
}

/** 2 high, 1 normal, 0 low; one less for a call declared background or past its declared duration. */
export function rankOf(state: State, call: Call, now: number): number {
  const rank = rankOfPriority[state.sessions[call.session]?.priority ?? 'low'];
  const overstayed = call.hint.durationMs !== undefined && now - call.startedAt > call.hint.durationMs;
  const background = call.hint.priority === 'background' || call.phase === 'background';
  return overstayed || background ? Math.max(0, rank - 1) : rank;
}

/** What an agent needs before we have seen it: the mean of the paper's 144 runs. */
const NEWBORN = 185e6;
/** An agent is born within this long, milliseconds. */
const BIRTH = 1500;

/** All of them together are not presumed to need more than this part of a limit. */
const NEWBORNS_PART = 1 / 2;

/**
 * What to count for an agent: what it uses, what it used to use and will again, or what a new one is about to. `share`: an even part, for
 * each agent there, of the limit above them, bytes.
 */
export const agentNeed = (s: Session, now: number, share: number): number =>
  Math.max(s.agent.working, s.baseline, now - s.startedAt < BIRTH ? Math.min(NEWBORN, share * NEWBORNS_PART) : 0);

/** The most memory a session may use, bytes: its own budget, never above the configured one; undefined: no limit. */
export function sessionBudget(config: Config, s: Pick<Session, 'ownBudget'> | undefined): number | undefined {
  const configured = config.session.budget;
  const own = s?.ownBudget ?? configured;
  return own === undefined ? undefined : Math.min(own, configured ?? own);
}

/** A lower session priority than the tenant's is taken, a higher one is not. */
export function boundedPriority(tenant: Priority, asked: Priority | null): Priority {
  return asked !== null && rankOfPriority[asked] < rankOfPriority[tenant] ? asked : tenant;
}

/**
 * A copy whose tenants, sessions and calls may be changed without the original noticing. What is below them (readings, bands,
 * marks) and the configuration is shared: it is replaced, never changed, and the types say so.
 */
export function copyState(state: State): State {
  return {
    ...state,
    tenants: copyTable(state.tenants),
    sessions: copyTable(state.sessions),
    calls: copyTable(state.calls),
    starvedSince: Object.assign(table<number>(), state.starvedSince),
    calmSince: Object.assign(table<number>(), state.calmSince),
    actedAt: Object.assign(table<number>(), state.actedAt),
  };
}

function copyTable<T extends object>(of: Record<string, T>): Record<string, T> {
  const copy = table<T>();
  for (const key in of) copy[key] = { ...of[key]! };
  return copy;
}
