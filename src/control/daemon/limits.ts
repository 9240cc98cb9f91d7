/**
 * What a session's budget means for its parts, on a kernel with nothing but cgroup v2. The measured ground (who dies when):
 * a call's hard ceiling must be reached before the session's own, or the OOM killer chooses among everyone in the session.
 */
import type { SessionLimits } from './kept.ts';

/** What an idle agent framework takes: the paper's mean is 185 MB; five real ones showed 120 to 480 MiB. */
export const AGENT_RESERVE_BYTES = 256 * 2 ** 20;
/** Page tables, stacks and slab of a call are charged beside what it asked for. */
const KERNEL_SHARE = 0.05;
/** No call gets less: a shell with git needs about this much. */
const SMALLEST_CALL_BYTES = 32 * 2 ** 20;
/** Stops a fork bomb long before the machine's own limit; a wide test run or build stays below. */
export const DEFAULT_CALL_PIDS = 4096;
/** Strongly negative: no process of a tool call is chosen after an agent. Not -1000: an agent that runs away must be killable. */
export const AGENT_OOM_SCORE_ADJ = -900;

export interface CallLimits {
  /** memory.max; absent: unlimited. */
  memoryMaxBytes?: number;
  /** memory.high, where reclaim of page cache begins; absent: unlimited. */
  memoryHighBytes?: number;
  pids: number;
}

/** What the agent keeps of its session's budget: at most half of it. */
export function agentReserve(limits: SessionLimits): number | undefined {
  return limits.memoryBytes === undefined
    ? undefined
    : Math.min(AGENT_RESERVE_BYTES, Math.floor(limits.memoryBytes / 2));
}

/**
 * The ceilings of one call in a session of this budget. memory.high stands at the hard ceiling itself: reaching it is
 * counted and can be waited for, but a call never crawls between the two (above memory.high, without swap, one page
 * batch may cost 2 s).
 */
export function callLimits(limits: SessionLimits): CallLimits {
  const pids = limits.pids === undefined ? DEFAULT_CALL_PIDS : Math.max(16, limits.pids - 32);
  if (limits.memoryBytes === undefined) return { pids };
  const reserve = agentReserve(limits)!;
  const max = Math.max(SMALLEST_CALL_BYTES, Math.floor((limits.memoryBytes - reserve) * (1 - KERNEL_SHARE)));
  return { memoryMaxBytes: max, memoryHighBytes: max, pids };
}
