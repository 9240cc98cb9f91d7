/** Made-up runs whose truth is known. */
import { Run } from '../../../../src/study/evaluate/index.ts';
import { seeded } from '../../../../src/study/statistics/index.ts';

export interface Truth {
  /** Means; runs scatter by `noise` of them. */
  highMs: number;
  lowMs: number;
  growthMs: number;
  noise?: number;
  /** Chance that a LOW agent dies. */
  dies?: number;
  overlap?: number;
  broken?: string;
  /** A LOW agent is set up only so long after the barrier. */
  lateMs?: number;
  /** LOW's call starts only then, milliseconds after it was asked for. */
  startMs?: number;
}

export function madeRun(
  arm: string,
  run: number,
  truth: Truth,
  more: { scenario?: string; variant?: number; seed?: number } = {},
): Run {
  const { scenario = 'made', variant = null, seed = 1 } = more;
  const random = seeded(seed * 7919 + run * 104729 + [...arm].reduce((n, c) => n * 31 + c.charCodeAt(0), 7));
  for (let i = 0; i < 5; i++) random();
  const around = (v: number) => v * (1 + (truth.noise ?? 0.05) * (random() + random() + random() - 1.5));
  const died = random() < (truth.dies ?? 0);
  const [highMs, lowMs] = [around(truth.highMs), around(truth.lowMs)];
  const growthUs = Array.from({ length: 320 }, () =>
    Math.max(1, Math.round(around(truth.growthMs) * 1000 * (0.5 + random()))),
  );
  const atMs = Array.from({ length: 40 }, (_, i) => (i * lowMs) / 40);
  const call = (n: number, endMs: number, startMs = 5) => ({
    n,
    command: 'pytest -q',
    attempt: 0,
    askedMs: 0,
    startMs,
    endMs,
    outcome: 'done' as const,
    exitCode: 0,
    feedback: false,
    wantedBytes: 300e6,
    pausesMs: [],
  });
  return Run.parse({
    version: 1,
    scenario,
    scenarioHash: 'abc',
    variant,
    arm,
    run,
    seed: 1000 + run,
    order: run,
    startedAt: new Date(1.8e12 + run * 1000).toISOString(),
    wallMs: 20_000,
    setupMs: 5000,
    broken: truth.broken ?? null,
    environment: {
      kernel: '7.3.4',
      where: 'lab',
      accelerator: 'tcg',
      deterministicClock: true,
      cpus: 2,
      memoryBytes: 2e9,
      swapBytes: 0,
      hugePages: 'always',
      node: 'v24.0.0',
      agentcgroup: '0.1.0',
    },
    nodeBytes: 1100e6,
    pauseMs: 50,
    sampleMs: 50,
    sessions: [
      {
        session: 'high',
        tenant: 'high',
        priority: 'high',
        role: 'high',
        alive: true,
        completed: true,
        startMs: 0,
        endMs: highMs,
        calls: [call(0, highMs)],
        growthUs,
      },
      {
        session: 'low-1',
        tenant: 'low-1',
        priority: 'low',
        role: 'low',
        readyMs: truth.lateMs ?? -200,
        alive: !died,
        completed: !died,
        startMs: 0,
        endMs: died ? null : lowMs,
        calls: [call(0, lowMs, truth.startMs)],
        growthUs: [],
      },
    ],
    measures:
      truth.broken !== undefined
        ? null
        : {
            sessions: 2,
            agentsAlive: died ? 1 : 2,
            agentsLost: died ? 1 : 0,
            sessionsCompleted: died ? 1 : 2,
            callsDone: died ? 1 : 2,
            callsKilled: 0,
            callsKilledWithFeedback: 0,
            callsLost: died ? 1 : 0,
            oomKills: died ? 1 : 0,
            oomGroupKills: 0,
            highMs,
            lowMs: died ? null : lowMs,
            makespanMs: Math.max(highMs, lowMs),
            overlap: arm === 'alone' ? null : Math.min(1, around(truth.overlap ?? 0.9)),
            highLongestPauseMs: around(20),
            lowLongestPauseMs: around(100),
            provisionedByteSeconds: 1100e6 * (lowMs / 1000),
            usedByteSeconds: around(600e6) * (lowMs / 1000),
            peakBytes: 1000e6,
            meanBytes: 600e6,
            memorySome: around(0.1),
            memoryFull: around(0.05),
            cpuSome: 0,
            ioFull: 0,
            controllerCpu: arm.startsWith('agentcgroup') ? around(0.05) : null,
            controllerBytes: arm.startsWith('agentcgroup') ? 110e6 : null,
            reactionMs: null,
          },
    timeline: {
      atMs,
      nodeBytes: atMs.map((_, i) => 400e6 + 15e6 * i),
      series: [
        { session: 'high', call: null, bytes: atMs.map(() => 100e6), rungs: [] },
        { session: 'high', call: 'tool-1', bytes: atMs.map((_, i) => (i > 5 ? 8e6 * i : null)), rungs: [] },
        { session: 'low-1', call: null, bytes: atMs.map(() => 100e6), rungs: [] },
        {
          session: 'low-1',
          call: 'tool-1',
          bytes: atMs.map((_, i) => 5e6 * i),
          rungs: [
            ['slow', 1000, 2500],
            ['frozen', 3000, 3000],
          ],
        },
      ],
    },
  });
}

export const blocks = (n: number, arms: Record<string, Truth>, more: Parameters<typeof madeRun>[3] = {}): Run[] =>
  Array.from({ length: n }, (_, run) => Object.entries(arms).map(([arm, t]) => madeRun(arm, run, t, more))).flat();
