/** What sessions look like, as distributions: fitted to traces, or written down. Plain data; the form of a shapes file. */
import { z } from 'zod';
import { AcgError } from '../../../model/index.ts';

/** [probability, value] pairs, both rising, from probability 0 to 1: a distribution by its quantiles, even between them. */
export const Quantiles = z
  .array(z.tuple([z.number().min(0).max(1), z.number().nonnegative()]))
  .min(2)
  .refine((q) => q[0]![0] === 0 && q.at(-1)![0] === 1, 'expected probabilities from 0 to 1')
  .refine((q) => q.every(([p, v], i) => i === 0 || (p > q[i - 1]![0] && v >= q[i - 1]![1])), 'expected rising pairs');
export type Quantiles = z.infer<typeof Quantiles>;

export const CallClass = z.strictObject({
  /** A class of the policy's, and a command that is in it. */
  name: z.string(),
  command: z.string(),
  /** Share of the calls. */
  share: z.number().min(0).max(1),
  /** Duration when nothing disturbs it, seconds. */
  seconds: Quantiles,
  /** Most memory above what the agent holds, MB (10^6 bytes). */
  peakMb: Quantiles,
  /** Share of its time until the peak is reached, and mean memory over the peak. */
  rise: z.number().min(0.01).max(1),
  fill: z.number().min(0).max(1),
  /** Processes that share its memory: assumed, traces of whole containers do not show them. */
  processes: z.number().int().min(1).max(256),
});
export type CallClass = z.infer<typeof CallClass>;

export const Shapes = z.strictObject({
  version: z.literal(1),
  /** Where the numbers come from, for people. */
  origin: z.string(),
  /** Sessions and calls behind them; 0: written down, not fitted. */
  sessions: z.number().int().nonnegative(),
  calls: z.number().int().nonnegative(),
  /** Memory of a session while no call runs, MB. */
  agentMb: Quantiles,
  callsPerSession: Quantiles,
  /** From the end of one call to the start of the next, seconds. */
  thinkSeconds: Quantiles,
  classes: z.array(CallClass).min(1),
  /** Share of the variance of the calls' peaks (as normal scores) that is between sessions. */
  sameSession: z.number().min(0).max(0.99),
  /** Correlation of duration and peak of a call (as normal scores, within its class). */
  longIsLarge: z.number().min(-0.99).max(0.99),
});
export type Shapes = z.infer<typeof Shapes>;

/** Throws ACG_CONFIG with every wrong key. */
export function parseShapes(value: unknown, source: string): Shapes {
  const parsed = Shapes.safeParse(value);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the document'}: ${message}`);
  throw new AcgError('ACG_CONFIG', `${source}: ${wrong.join('; ')}`);
}

/** The value at a probability. */
export function at(q: Quantiles, p: number): number {
  for (let i = 1; i < q.length; i++) {
    const [high, v] = q[i]!;
    if (p > high) continue;
    const [low, u] = q[i - 1]!;
    return u + ((v - u) * (p - low)) / (high - low);
  }
  return q.at(-1)![1];
}

/**
 * The set used when no traces are given. Written down, not fitted: round numbers after what is published about coding agents
 * (a framework of about 185 MB; sessions of some minutes with a few dozen commands, most of them small and short, a few that
 * hold gigabytes), so that the command shows something anywhere. Claims are to be made from traces.
 */
export const exampleShapes: Shapes = {
  version: 1,
  origin: 'the example set: round numbers after published orders of magnitude, not fitted to anything',
  sessions: 0,
  calls: 0,
  agentMb: [
    [0, 150],
    [0.5, 185],
    [0.9, 240],
    [1, 320],
  ],
  callsPerSession: [
    [0, 2],
    [0.25, 10],
    [0.5, 20],
    [0.75, 35],
    [0.9, 50],
    [1, 120],
  ],
  thinkSeconds: [
    [0, 1],
    [0.25, 5],
    [0.5, 9],
    [0.75, 15],
    [0.9, 30],
    [1, 180],
  ],
  classes: [
    {
      name: 'pytest',
      command: 'pytest',
      share: 0.15,
      processes: 4,
      rise: 0.5,
      fill: 0.55,
      seconds: [
        [0, 0.5],
        [0.5, 6],
        [0.9, 40],
        [1, 300],
      ],
      peakMb: [
        [0, 5],
        [0.5, 60],
        [0.9, 400],
        [0.99, 1500],
        [1, 3800],
      ],
    },
    {
      name: 'npm',
      command: 'npm ci',
      share: 0.05,
      processes: 4,
      rise: 0.5,
      fill: 0.6,
      seconds: [
        [0, 1],
        [0.5, 10],
        [0.9, 45],
        [1, 200],
      ],
      peakMb: [
        [0, 30],
        [0.5, 200],
        [0.9, 700],
        [1, 1800],
      ],
    },
    {
      name: 'script',
      command: 'python3 x.py',
      share: 0.2,
      processes: 1,
      rise: 0.5,
      fill: 0.5,
      seconds: [
        [0, 0.1],
        [0.5, 2],
        [0.9, 15],
        [1, 200],
      ],
      peakMb: [
        [0, 5],
        [0.5, 30],
        [0.9, 150],
        [1, 2500],
      ],
    },
    {
      name: 'search',
      command: 'grep -r x .',
      share: 0.6,
      processes: 1,
      rise: 0.5,
      fill: 0.5,
      seconds: [
        [0, 0.02],
        [0.5, 0.2],
        [0.9, 2],
        [1, 20],
      ],
      peakMb: [
        [0, 1],
        [0.5, 4],
        [0.9, 15],
        [1, 120],
      ],
    },
  ],
  sameSession: 0.4,
  longIsLarge: 0.5,
};
