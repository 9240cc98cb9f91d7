/** What all jobs of a simulation share, and what follows from the shapes alone. Plain data: it goes to the workers. */
import type { Config } from '../../../model/index.ts';
import { mean, quantile, seeded } from '../../statistics/index.ts';
import { demandAt, workOf } from '../index.ts';
import { type Drawn, drawSession } from './draw.ts';
import { burstRoom } from './risk.ts';
import type { Shapes } from './shapes.ts';

export interface Basis {
  shapes: Shapes;
  seed: number;
  /** Share of sessions with priority `high`. */
  high: number;
  nodeBytes: number;
  /** Of a node; Infinity: CPU is never short. */
  cpus: number;
  config: Config;
  /** Of sessions alone: mean time, mean memory over time, what the agent itself holds, mean peak, 90th percentile of peaks, largest. */
  meanMs: number;
  meanBytes: number;
  agentBytes: number;
  meanPeak: number;
  usualPeak: number;
  largestPeak: number;
  /** By number of sessions: what bursts above the agents need at once, exceeded at a random moment with no more than `risk`. */
  burstRoom: number[];
  risk: number;
}

/** Sessions drawn to know the distributions by. */
const drawn = 4000;
/** Their numbers: none that is simulated later. */
const first = 900_000_000;

export function basisOf(
  given: Pick<Basis, 'shapes' | 'seed' | 'high' | 'nodeBytes' | 'cpus' | 'config' | 'risk'>,
): Basis {
  const sessions = Array.from({ length: drawn }, (_, i) => drawSession(given.shapes, first + i, given));
  const random = seeded(given.seed);
  const peaks = sessions.map((s) => s.peakBytes);
  const time = sessions.reduce((n, s) => n + s.aloneMs, 0);
  const agents = sessions.map((s) => s.agent.anon + s.agent.hot);
  const most = Math.ceil(given.nodeBytes / Math.min(...agents)) + 1;
  return {
    ...given,
    meanMs: time / drawn,
    // of a node's sessions at a moment, long ones are more: weighted by time
    meanBytes: sessions.reduce((n, s) => n + s.meanBytes * s.aloneMs, 0) / time,
    agentBytes: mean(agents)!,
    meanPeak: mean(peaks)!,
    usualPeak: quantile(peaks, 0.9)!,
    largestPeak: Math.max(...peaks),
    burstRoom: burstRoom(moments(sessions, random), most, given.risk),
  };
}

/** Memory above the agent at random moments: of long sessions as many more as they are longer. */
function moments(sessions: readonly Drawn[], random: () => number): number[] {
  const found: number[] = [];
  const total = sessions.reduce((n, s) => n + s.aloneMs, 0);
  for (const s of sessions) {
    const expected = (s.aloneMs / total) * sessions.length * 5;
    const times = Math.floor(expected) + (random() < expected % 1 ? 1 : 0);
    for (let i = 0; i < times; i++) found.push(aboveAgent(s, random() * s.aloneMs));
  }
  return found;
}

function aboveAgent(s: Drawn, at: number): number {
  let left = at;
  for (const { think, calls } of s.turns) {
    if (left < think) return 0;
    left -= think;
    const call = calls[0]!;
    if (left < workOf(call)) return demandAt(call, left).anon;
    left -= workOf(call);
  }
  return 0;
}
