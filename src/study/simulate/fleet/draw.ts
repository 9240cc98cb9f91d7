/** Sessions drawn from shapes. The same seed and number give the same session, whoever asks. */
import { seeded } from '../../statistics/index.ts';
import { type CallSpec, peakOf, type SessionSpec, type Turn, workOf } from '../index.ts';
import { deviate, phi } from './normal.ts';
import { at, type CallClass, type Shapes } from './shapes.ts';

export interface Drawn extends SessionSpec {
  /** The most it ever holds, its mean over time, bytes; and how long it takes when nothing disturbs it, milliseconds. */
  peakBytes: number;
  meanBytes: number;
  aloneMs: number;
}

/** What the model charges beside anonymous memory: a limit at a session's peak must have room for it. */
const KERNEL = 1.03;
/** A call is tried again so often when it was killed. */
const RETRIES = 1;

export interface DrawOptions {
  seed: number;
  /** Share of sessions with priority `high`. */
  high: number;
}

export function drawSession(shapes: Shapes, number: number, options: DrawOptions, startsAt = 0): Drawn {
  const random = seeded((options.seed * 0x9e3779b1 + number * 0x85ebca6b) >>> 0);
  // the first numbers of neighbouring seeds are alike
  for (let i = 0; i < 4; i++) random();
  const high = random() < options.high;
  const agentBytes = at(shapes.agentMb, random()) * 1e6;
  const own = deviate(random);
  const turns: Turn[] = [];
  const count = Math.max(1, Math.round(at(shapes.callsPerSession, random())));
  for (let i = 0; i < count; i++)
    turns.push({ think: at(shapes.thinkSeconds, random()) * 1000, calls: [drawCall(shapes, own, random)] });
  let aloneMs = 0;
  let area = 0;
  let peak = 0;
  for (const { think, calls } of turns) {
    aloneMs += think + workOf(calls[0]!);
    area += areaOf(calls[0]!);
    peak = Math.max(peak, peakOf(calls[0]!));
  }
  return {
    id: `s${number}`,
    tenant: high ? 'high' : 'normal',
    priority: high ? 'high' : 'normal',
    startsAt,
    // traces do not say how much of it the kernel could take back, nor what that would cost: none
    agent: { anon: Math.round(agentBytes), hot: 0 },
    turns,
    peakBytes: agentBytes + peak * KERNEL,
    meanBytes: agentBytes + area / aloneMs,
    aloneMs,
  };
}

function drawCall(shapes: Shapes, own: number, random: () => number): CallSpec {
  const c = pick(shapes.classes, random());
  const zPeak = Math.sqrt(shapes.sameSession) * own + Math.sqrt(1 - shapes.sameSession) * deviate(random);
  const zLong = shapes.longIsLarge * zPeak + Math.sqrt(1 - shapes.longIsLarge ** 2) * deviate(random);
  const ms = Math.max(10, at(c.seconds, phi(zLong)) * 1000);
  const anon = at(c.peakMb, phi(zPeak)) * 1e6;
  // a rise to the peak and a straight line from there, so that the mean is `fill` of the peak
  const rest = Math.max(0, Math.min(1, c.rise < 1 ? (2 * c.fill - 1) / (1 - c.rise) : 1));
  return {
    demand: [
      { at: ms * c.rise, anon },
      { at: ms, anon: anon * rest },
    ],
    processes: c.processes,
    command: c.command,
    retries: RETRIES,
  };
}

function pick(classes: readonly CallClass[], p: number): CallClass {
  let left = p * classes.reduce((n, c) => n + c.share, 0);
  for (const c of classes) {
    left -= c.share;
    if (left < 0) return c;
  }
  return classes.at(-1)!;
}

/** Byte-milliseconds of a call above the agent. */
export function areaOf(c: CallSpec): number {
  let area = 0;
  let before = { at: 0, anon: 0 };
  for (const p of c.demand) {
    area += ((p.at - before.at) * (p.anon + before.anon)) / 2;
    before = p;
  }
  return area;
}
