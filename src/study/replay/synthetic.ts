/** Sessions drawn from what a set of recorded ones has in common. The same seed draws the same. Pure. */
import { seeded } from '../statistics/index.ts';
import { peakOfCall, type ShapedCall } from './session.ts';

/** A logarithmic normal distribution, as durations and memory peaks of commands roughly have. */
export interface LogNormal {
  mu: number;
  sigma: number;
}

/** Of one kind of command (`command` stands for it): how often, how long, how large, how long the agent thinks before it. */
export interface FittedClass {
  command: string;
  /** Share of all calls. */
  share: number;
  /** ms. */
  duration: LogNormal;
  /** Bytes above the agent. */
  peak: LogNormal;
  /** CPUs, the mean. */
  cpu: number;
  /** ms. */
  think: LogNormal;
}

/** Maximum likelihood: mean and standard deviation of the logarithms. Values below `least` count as `least`. */
export function fitLogNormal(values: readonly number[], least: number): LogNormal {
  const logs = values.map((v) => Math.log(Math.max(v, least)));
  const mu = logs.reduce((a, b) => a + b, 0) / logs.length;
  return { mu, sigma: Math.sqrt(logs.reduce((a, b) => a + (b - mu) ** 2, 0) / logs.length) };
}

/** Fits every kind of command that occurs in `calls` (of all sessions together). */
export function fit(calls: readonly ShapedCall[]): FittedClass[] {
  const kinds = Map.groupBy(calls, (call) => call.command);
  return [...kinds].map(([command, of]) => ({
    command,
    share: of.length / calls.length,
    duration: fitLogNormal(
      of.map((c) => c.shape.at(-1)!.at),
      1,
    ),
    peak: fitLogNormal(of.map(peakOfCall), 2 ** 20),
    cpu: of.reduce((sum, c) => sum + Math.max(...c.shape.map((p) => p.cpu)), 0) / of.length,
    think: fitLogNormal(
      of.map((c) => c.after),
      1,
    ),
  }));
}

/** Draws beyond this many standard deviations are not taken: one in a thousand calls would be larger than any machine. */
const FARTHEST = 2.5;

/** `count` calls one after the other; each rises for a third of its time, holds, and falls in the last tenth. */
export function draw(fitted: readonly FittedClass[], count: number, seed: number): ShapedCall[] {
  const random = seeded(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const of = ({ mu, sigma }: LogNormal) => Math.exp(mu + sigma * Math.max(-FARTHEST, Math.min(FARTHEST, normal())));
  const pick = () => {
    let left = random();
    for (const kind of fitted) {
      left -= kind.share;
      if (left <= 0) return kind;
    }
    return fitted.at(-1)!;
  };
  return Array.from({ length: count }, () => {
    const kind = pick();
    const [duration, anon] = [of(kind.duration), of(kind.peak)];
    const shape = [
      { at: duration / 3, anon, file: 0, cpu: kind.cpu },
      { at: duration * 0.9, anon, file: 0, cpu: kind.cpu },
      { at: duration, anon: anon / 8, file: 0, cpu: 0 },
    ];
    return { command: kind.command, after: of(kind.think), shape, workers: 1, retries: 0, smaller: 1 };
  });
}
