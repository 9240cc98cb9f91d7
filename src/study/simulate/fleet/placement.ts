/** Where the next session goes. Every rule is best fit: of the nodes it fits on, the one that is fullest with it. */
import type { Basis } from './basis.ts';
import type { Drawn } from './draw.ts';

export const placementNames = ['peak', 'average', 'vpa', 'risk'] as const;
export type PlacementName = (typeof placementNames)[number];

export const placementTexts: Record<PlacementName, string> = {
  peak: 'the peaks of the sessions, known beforehand, fit together',
  average: 'the means over time of the sessions, known beforehand, fit together',
  vpa: 'as many as fit with the 90th percentile of peaks and 15 % each',
  risk: 'what the agents hold, as seen, and the room their bursts need at once but for the given risk, leave the low mark (5 %) free; of the next session nothing is known but the distribution',
};

/** What is known of a node's sessions. */
export interface Load {
  sessions: number;
  /** Sum of what each was booked with. */
  bytes: number;
}

export interface Placement {
  /** What a session adds to `Load.bytes` once it is there. */
  booked(d: Drawn): number;
  /** Bytes a node would be full to with one more session. */
  filled(load: Load, next: Drawn): number;
  /** How full a node may be. */
  limit: number;
}

const VPA_MARGIN = 1.15;
const LOW_MARK = 0.05;

export function placementOf(name: PlacementName, basis: Basis): Placement {
  const sum = (booked: (d: Drawn) => number): Placement => ({
    booked,
    filled: (load, next) => load.bytes + booked(next),
    limit: basis.nodeBytes,
  });
  switch (name) {
    case 'peak':
      return sum((d) => d.peakBytes);
    case 'average':
      return sum((d) => d.meanBytes);
    case 'vpa':
      return sum(() => basis.usualPeak * VPA_MARGIN);
    case 'risk':
      return {
        booked: (d) => d.agent.anon + d.agent.hot,
        filled: (load) =>
          load.bytes + basis.agentBytes + (basis.burstRoom[load.sessions + 1] ?? Number.POSITIVE_INFINITY),
        limit: basis.nodeBytes * (1 - LOW_MARK),
      };
  }
}

/** Index of the node to take; undefined: it fits nowhere. An empty node takes anything: it cannot be emptier. */
export function bestFit(p: Placement, loads: readonly Load[], next: Drawn): number | undefined {
  let best: number | undefined;
  let fullest = Number.NEGATIVE_INFINITY;
  for (const [i, load] of loads.entries()) {
    const filled = p.filled(load, next);
    if ((filled <= p.limit || load.sessions === 0) && filled > fullest) {
      fullest = filled;
      best = i;
    }
  }
  return best;
}
