/** One run of a workload under one kind of control, and what came of it. Deterministic: same input, same outcome. */
import type { Explanation } from '../../control/policy/index.ts';
import type { Config } from '../../model/index.ts';
import { PolicyControl, type Watched, withoutControl } from './control.ts';
import { type CallEnd, SimNode } from './node.ts';
import { type Workload, workOf } from './workload.ts';

export interface CallOutcome {
  call: string;
  session: string;
  attempt: number;
  /** Undefined: still not ended when the run was over. */
  end: CallEnd | undefined;
  reason: string | undefined;
  /** From being asked for to its end, milliseconds. */
  elapsedMs: number;
  heldMs: number;
  /** Undisturbed duration, milliseconds. */
  workMs: number;
  peakBytes: number;
  longestStillMs: number;
}

export interface Outcome {
  /** Virtual time at the end, milliseconds. */
  endedAt: number;
  agents: { session: string; alive: boolean; finished: boolean; endedAt: number | undefined }[];
  calls: CallOutcome[];
  overlapMs: number;
  /** Bytes still charged when every session had ended. */
  leftBytes: number;
  /** OOM kills for a limit above the victim's own cgroup: there the kernel may choose anyone. */
  oomAbove: number;
  explanations: Explanation[];
}

export type Arm =
  /** Containers: one limit for all, no cgroup per call, OOM by size. `sessionMax`: memory.max of each session as well. */
  | { control: 'none'; sessionMax?: number }
  | {
      control: 'policy';
      config: Config;
      /** The kernel's governor is in charge, as on tier sched-ext. */
      governed?: boolean;
      watch?: (w: Watched) => void;
    };

/** Runs until every session has ended or `until` (virtual milliseconds). `tickMs`: resolution; `leaps`: see SimNode. */
export function simulate(
  workload: Workload,
  arm: Arm,
  options: { until?: number; tickMs?: number; leaps?: boolean } = {},
): Outcome {
  const node = new SimNode(workload, options.tickMs ?? 50, arm.control === 'none', options.leaps);
  const control =
    arm.control === 'none'
      ? withoutControl(node, arm.sessionMax)
      : new PolicyControl(node, arm.config, {
          watch: arm.watch,
          coarse: options.leaps ?? false,
          governed: arm.governed ?? false,
        });
  node.control = control;
  node.run(options.until ?? 600_000);
  return {
    endedAt: node.now,
    agents: node.sessions.map((s) => ({
      session: s.spec.id,
      alive: s.alive,
      finished: s.alive && s.endedAt !== undefined,
      endedAt: s.endedAt,
    })),
    calls: node.calls.map((c) => ({
      call: c.id,
      session: c.session.spec.id,
      attempt: c.attempt,
      end: c.end,
      reason: c.reason,
      elapsedMs: (c.state === 'ended' ? c.endedAt : node.now) - c.askedAt,
      heldMs: (c.state === 'asked' ? node.now : c.startedAt) - c.askedAt,
      workMs: workOf(c.spec),
      peakBytes: c.peak,
      longestStillMs: c.longestStill,
    })),
    overlapMs: node.overlapMs,
    leftBytes: node.memory.root.usage,
    oomAbove: node.oomAbove,
    explanations: control instanceof PolicyControl ? control.explanations : [],
  };
}
