/** What the policy asks for. Plain data; the daemon (or the simulator) carries it out in the order given. */
import type { Feedback } from '../../model/index.ts';

/** A cgroup of the tree (DESIGN section 3), in our words. */
export type Target =
  | { kind: 'node' }
  | { kind: 'tenant'; tenant: string }
  | { kind: 'session'; session: string }
  | { kind: 'agent'; session: string }
  | { kind: 'call'; call: string };

/** Bytes, or no limit. */
export type Ceiling = number | 'max';

/** What was last asked of the kernel for a cgroup: memory.min, low, high, max. Bytes. */
export interface Applied {
  readonly min: number;
  readonly low: number;
  readonly high: Ceiling;
  readonly max: Ceiling;
}

/** A hard ceiling this near to what cannot be reclaimed is not to be written: the kernel would kill instead of waiting. Bytes. */
export const KILL_MARGIN = 4 * 2 ** 20;

export type KillReason = 'ceiling' | 'pids' | 'time';

export type Action =
  /**
   * Write memory.min, low, high, max; an absent field is left as it is. A `max` below memory.current makes the kernel
   * reclaim the cgroup's own cache first. Before lowering `max` read memory.current and inactive_file: when what is not
   * inactive file is within KILL_MARGIN of the new value, skip the write. Send no sample for it: the next ones show it, and one
   * at the same moment could pass a credit back and forth between two calls for ever.
   */
  | { type: 'bands'; target: Target; min?: number; low?: number; high?: Ceiling; max?: Ceiling }
  /** cpu.weight and io.weight, 1 to 10000. */
  | { type: 'weight'; target: Target; cpu: number; io: number }
  | { type: 'pids'; call: string; max: number }
  /** memory.reclaim of so many bytes; less reclaimed (EAGAIN) is no error. */
  | { type: 'reclaim'; target: Target; bytes: number }
  /**
   * Slow the growth of a call down. On the cgroup tier: memory.high = `high`; with the governor: `bytesPerSecond`. Never for
   * an agent's sake of a tool; an agent leaf is throttled only when it is itself the runaway (target agent).
   */
  | { type: 'throttle'; target: Target; high: number; bytesPerSecond: number }
  /** With the governor: headroom has moved, and with it how fast a throttled call may grow. */
  | { type: 'pace'; call: string; bytesPerSecond: number }
  | { type: 'unthrottle'; target: Target; high: Ceiling }
  | { type: 'freeze'; call: string }
  | { type: 'thaw'; call: string }
  /** The answer to a call-request: start it now. */
  | { type: 'admit'; call: string }
  /** The answer to a call-request: wait; admit or refuse follows at `until` at the latest. */
  | { type: 'hold'; call: string; until: number }
  | { type: 'refuse'; call: string; text: string }
  /** cgroup.kill of the whole call. */
  | { type: 'kill'; call: string; reason: KillReason }
  /** Something the model will be told when the call ends. */
  | { type: 'advise'; call: string; kind: Feedback['kind'] }
  /** Send a timer event at `at` (same clock as `now`), unless another event comes before. */
  | { type: 'wake'; at: number };

/** Why something was decided, in one line with numbers. Goes to the log, the API and the record of the call. */
export interface Explanation {
  t: number;
  /** The row of the decision table. */
  decision: string;
  text: string;
  tenant?: string;
  session?: string;
  call?: string;
  /** Only said, not done: the tenant is in mode observe, or this is a dry run. */
  observed?: true;
}
