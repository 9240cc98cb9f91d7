/** What the policy is told. Plain data; times come beside the event, from one monotonic clock, in milliseconds. */
import type { Config, Priority } from '../../model/index.ts';
import type { Applied } from './actions.ts';
import type { CommandClass } from './command.ts';
import type { Hint } from './hint.ts';

/** One reading of a memory cgroup. Bytes; counters are cumulative. What the kernel does not offer is absent. */
export interface Usage {
  /** memory.current */
  current: number;
  /** memory.stat anon */
  anon?: number;
  /** memory.stat inactive_file: what can be had back without pain */
  inactiveFile?: number;
  /** memory.swap.current */
  swap?: number;
  /** pids.current */
  pids?: number;
  /** memory.stat workingset_refault_anon + workingset_refault_file, pages */
  refaults?: number;
}

export type PolicyEvent =
  /**
   * `budget`: the most memory this session may use, agent included; never above the configured one. Bytes. `inForce`: what their files
   * say; without it they are new, but for the budget.
   */
  | {
      type: 'session-start';
      session: string;
      tenant: string;
      priority?: Priority;
      budget?: number;
      inForce?: Record<'tenant' | 'session' | 'agent', Applied>;
    }
  | { type: 'session-end'; session: string }
  /** A call asks to start. Answered by admit, hold or refuse, in this step or (after hold) a later one. */
  | { type: 'call-request'; call: string; session: string; hint?: Hint; class?: CommandClass }
  /** The one who asked has gone while the call was held. */
  | { type: 'call-cancel'; call: string }
  /** The call runs. Calls that were never requested (adopted, re-adopted) are known from here on. `inForce`: what its files say, if it is not new. */
  | {
      type: 'call-start';
      call: string;
      session: string;
      hint?: Hint;
      class?: CommandClass;
      startedAt?: number;
      inForce?: Applied;
    }
  /** The shell has ended, processes of the call live on. */
  | { type: 'call-background'; call: string }
  /** The cgroup is empty. `left` is its memory.current: reclaimed before the directory goes. */
  | { type: 'call-end'; call: string; left?: number }
  /** A round of readings; `node` is the root of our tree, or what is used of the capacity. */
  | {
      type: 'samples';
      node?: Usage & { swapFree?: number };
      agents?: ({ session: string } & Usage)[];
      calls?: ({ call: string } & Usage)[];
    }
  /**
   * memory.events of a call or an agent leaf has moved (high or max), with a fresh reading. A throttled call moves it with
   * every batch: once in 20 to 50 ms for each call is enough.
   */
  | { type: 'breach'; target: { call: string } | { session: string }; usage: Usage }
  /** pids.events of a call has moved. */
  | { type: 'pids-breach'; call: string }
  /** Memory PSI of our root: share of the last 10 s in which all stalled, 0 to 1. */
  | { type: 'pressure'; full: number }
  /** memory.events oom_kill has moved in a call or an agent leaf. */
  | { type: 'oom-kill'; target: { call: string } | { session: string } }
  /** What all sessions together may use, bytes: the smallest of the root's limit and what the machine can give. */
  | { type: 'capacity'; bytes: number }
  /** The kernel's memory governor holds back who grows, or does so no longer. */
  | { type: 'governor'; inCharge: boolean }
  | { type: 'config'; config: Config }
  | { type: 'timer' };
