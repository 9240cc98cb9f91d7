import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { parseConfig } from '../../../../src/model/index.ts';
import { armNames, withHigh } from '../../../../src/study/simulate/fleet/arms.ts';
import { type Basis, basisOf } from '../../../../src/study/simulate/fleet/basis.ts';
import { runCell } from '../../../../src/study/simulate/fleet/cell.ts';
import { runDensity } from '../../../../src/study/simulate/fleet/density.ts';
import { drawSession } from '../../../../src/study/simulate/fleet/draw.ts';
import { fitTraces } from '../../../../src/study/simulate/fleet/fit.ts';
import { writeFleetReport } from '../../../../src/study/simulate/fleet/page.ts';
import { bestFit, type placementNames, placementOf } from '../../../../src/study/simulate/fleet/placement.ts';
import { runJobs } from '../../../../src/study/simulate/fleet/pool.ts';
import { burstRoom } from '../../../../src/study/simulate/fleet/risk.ts';
import { coarse } from '../../../../src/study/simulate/fleet/run-node.ts';
import { at, exampleShapes, parseShapes, type Shapes } from '../../../../src/study/simulate/fleet/shapes.ts';
import { fleetStudy, highest, staticDensity } from '../../../../src/study/simulate/fleet/study.ts';
import { peakOf } from '../../../../src/study/simulate/index.ts';
import { seeded } from '../../../../src/study/statistics/index.ts';

// a loaded machine takes its time
vi.setConfig({ testTimeout: 120_000 });

const GIB = 2 ** 30;
/** Short sessions, so that a node's hours take moments. */
const brief: Shapes = {
  ...exampleShapes,
  callsPerSession: [
    [0, 2],
    [1, 6],
  ],
  thinkSeconds: [
    [0, 0.5],
    [1, 4],
  ],
  classes: [
    {
      name: 'python',
      command: 'python3 x.py',
      share: 1,
      processes: 1,
      rise: 0.5,
      fill: 0.5,
      seconds: [
        [0, 0.2],
        [1, 6],
      ],
      peakMb: [
        [0, 5],
        [0.8, 150],
        [1, 900],
      ],
    },
  ],
};
const usual = basisOf({
  shapes: brief,
  seed: 1,
  high: 0.25,
  nodeBytes: 4 * GIB,
  cpus: Number.POSITIVE_INFINITY,
  config: withHigh(parseConfig({})),
  risk: 0.01,
});
const basis = (more: Partial<Basis> = {}): Basis => ({ ...usual, ...more });
const density = (arm: (typeof armNames)[number], sessions: number, replicate = 0) =>
  ({ kind: 'density', arm, sessions, replicate, ...coarse }) as const;

test('a drawn session is the same whoever asks, and within its distributions', () => {
  fc.assert(
    fc.property(fc.nat(1e6), fc.nat(1000), (number, seed) => {
      const s = drawSession(exampleShapes, number, { seed, high: 0.3 });
      expect(drawSession(exampleShapes, number, { seed, high: 0.3 })).toEqual(s);
      const agent = s.agent.anon + s.agent.hot;
      expect(s.peakBytes).toBeGreaterThanOrEqual(s.meanBytes);
      expect(s.meanBytes).toBeGreaterThanOrEqual(agent - 1);
      for (const { calls } of s.turns) {
        const c = exampleShapes.classes.find((x) => x.command === calls[0]!.command)!;
        expect(peakOf(calls[0]!)).toBeLessThanOrEqual(at(c.peakMb, 1) * 1e6 + 1);
        expect(calls[0]!.demand.every((p) => p.anon >= 0)).toBe(true);
      }
    }),
    { numRuns: 100 },
  );
});

test('every session and call is accounted for, on every arm, and the agent is never lost under the policy', () => {
  const b = basis();
  for (const arm of armNames) {
    const t = runDensity(density(arm, 11), b);
    expect(t.sessions).toBeGreaterThan(6);
    expect(t.high.length + t.rest.length + t.agentsLost + t.unfinished).toBe(t.sessions);
    // each call's last attempt has one end; what was killed before it was tried again
    expect(t.done + t.kills + t.lost + t.refused).toBeGreaterThanOrEqual(t.calls);
    expect(t.done + t.lost + t.refused).toBeLessThanOrEqual(t.calls);
    expect(t.used).toBeLessThanOrEqual(t.capacity);
    if (arm === 'agentcgroup') expect(t.agentsLost).toBe(0);
  }
  // as many as fit by their peaks: nobody is ever killed
  const fitting = runDensity(density('static-peak', Math.floor(b.nodeBytes / b.largestPeak)), b);
  expect(fitting.kills + fitting.agentsLost).toBe(0);
});

test('the same seed gives the same result, on any number of threads', async () => {
  const jobs = [density('none', 9), density('agentcgroup', 9), density('none', 9, 1)];
  const here = await runJobs(jobs, basis(), { workers: 0 });
  expect(await runJobs(jobs, basis(), { workers: 2 })).toEqual(here);
  expect(here[0]).not.toEqual(here[2]);
  await expect(runJobs([{ ...jobs[0]!, arm: 'nobody' as never }], basis(), { workers: 1 })).rejects.toThrow();
});

test('more memory kills no more, over several seeds', () => {
  const kills = (nodeBytes: number) =>
    [0, 1].reduce((n, replicate) => {
      const t = runDensity(density('none', 12, replicate), basis({ nodeBytes }));
      return n + t.kills + t.agentsLost;
    }, 0);
  const found = [2.6 * GIB, 3 * GIB, 6 * GIB].map(kills);
  expect(found[0]!).toBeGreaterThan(0);
  expect(found[1]!).toBeLessThanOrEqual(found[0]!);
  expect(found[2]!).toBeLessThanOrEqual(found[1]!);
});

test('peaks fill a node by arithmetic', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 100, max: 4000 }), (gib, peakMb) => {
      const b = { ...basis(), nodeBytes: gib * GIB, meanPeak: peakMb * 1e6, largestPeak: peakMb * 1e6 };
      const rule = placementOf('peak', b);
      const load = { sessions: 0, bytes: 0 };
      const next = { ...drawSession(brief, 0, { seed: 1, high: 0 }), peakBytes: peakMb * 1e6 };
      while (load.sessions === 0 ? next.peakBytes <= b.nodeBytes : bestFit(rule, [load], next) !== undefined) {
        load.sessions++;
        load.bytes += rule.booked(next);
      }
      expect(load.sessions).toBe(Math.floor((gib * GIB) / (peakMb * 1e6)));
      expect(staticDensity(b)).toEqual({ oneForAll: load.sessions, own: load.sessions });
    }),
    { numRuns: 30 },
  );
});

test('the room for bursts holds what it promises and is shared by many', () => {
  const random = seeded(5);
  const bursts = Array.from({ length: 2000 }, () => (random() < 0.8 ? 0 : 1000 * random() ** 4));
  const room = burstRoom(bursts, 60, 0.01);
  for (const n of [1, 5, 20, 60]) {
    let over = 0;
    for (let i = 0; i < 2000; i++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += bursts[Math.floor(random() * bursts.length)]!;
      if (sum > room[n]!) over++;
    }
    expect(over / 2000).toBeLessThanOrEqual(0.015);
    expect(room[n]!).toBeGreaterThanOrEqual(room[n - 1]!);
  }
  expect(room[60]! / 60).toBeLessThan(room[1]! / 3);
});

test('placement by risk waits no longer than by peaks, puts more on a node, and loses no agent', () => {
  const cell = (placement: (typeof placementNames)[number], arm: (typeof armNames)[number]) =>
    runCell({ kind: 'cell', arm, placement, cell: 0, nodes: 3, sessions: 120, load: 0.8 }, basis());
  const peak = cell('peak', 'static-peak');
  const risk = cell('risk', 'agentcgroup');
  for (const r of [peak, risk]) {
    expect(r.tally.sessions).toBe(120);
    expect(r.tally.agentsLost).toBe(0);
  }
  expect(risk.waitedMs).toBeLessThanOrEqual(peak.waitedMs);
  expect(risk.present / risk.looks).toBeGreaterThan(peak.present / peak.looks);
});

test('a fit gives back what the traces were made from', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'agentcgroup-fit-'));
  try {
    const lines: object[] = [];
    for (let n = 0; n < 30; n++) {
      const session = `s${n}`;
      const start = 1e12;
      lines.push({ type: 'session', version: 1, session, tenant: 't', source: 'record', start, end: start + 200_000 });
      // 20 calls of 4 s, 6 s apart, that hold 100 to 400 MB above 200
      for (let i = 0; i < 200; i++) {
        const inCall = i % 10 >= 6;
        const memoryBytes = 200e6 + (inCall ? (100 + 10 * n) * 1e6 : 0);
        lines.push({ type: 'sample', session, t: start + i * 1000 + 500, memoryBytes });
      }
      for (let c = 0; c < 20; c++) {
        const from = start + c * 10_000 + 6000;
        const call = {
          type: 'call',
          call: `${session}.${c}`,
          session,
          tenant: 't',
          tool: 'Bash',
          command: 'pytest -q',
        };
        lines.push({ ...call, start: from, end: from + 4000, durationMs: 4000, exitCode: 0 });
      }
    }
    const path = join(dir, 'made.ndjson');
    await writeFile(path, lines.map((l) => JSON.stringify(l)).join('\n'));
    const { shapes, recorded } = await fitTraces([path], { origin: 'made' });
    expect(recorded).toHaveLength(30);
    expect(shapes.calls).toBe(600);
    expect(at(shapes.agentMb, 0.5)).toBe(200);
    expect(at(shapes.callsPerSession, 0.5)).toBe(20);
    expect(at(shapes.thinkSeconds, 0.5)).toBe(6);
    expect(shapes.classes.map((c) => [c.name, c.share])).toEqual([['pytest', 1]]);
    expect(at(shapes.classes[0]!.seconds, 0.5)).toBe(4);
    expect(at(shapes.classes[0]!.peakMb, 0.5)).toBeCloseTo(245, -1);
    // all calls of a session are alike
    expect(shapes.sameSession).toBeGreaterThan(0.9);
    expect(parseShapes(JSON.parse(JSON.stringify(shapes)), 'again')).toEqual(shapes);
    await writeFile(path, JSON.stringify(lines[0]));
    await expect(fitTraces([path], { origin: '' })).rejects.toMatchObject({ code: 'ACG_TRACE_EMPTY' });
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('shapes that make no sense are refused with the place', () => {
  expect(() => parseShapes({ ...exampleShapes, thinkSeconds: [[0, 5]] }, 'x.json')).toThrow(/x\.json.*thinkSeconds/s);
  expect(() =>
    parseShapes(
      {
        ...exampleShapes,
        agentMb: [
          [0, 5],
          [1, 3],
        ],
      },
      'x.json',
    ),
  ).toThrow(/rising/);
});

test('a whole study: density, fleet, models, and a report in one file', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'agentcgroup-fleet-'));
  try {
    const study = await fleetStudy(basis(), {
      arms: ['none', 'agentcgroup'],
      densities: [6, 10],
      replicates: 5,
      fleet: [{ placement: 'risk', arm: 'agentcgroup' }],
      nodes: 2,
      sessions: 40,
      load: 0.5,
      validate: true,
      workers: 0,
    });
    expect(study.density).toHaveLength(4);
    expect(study.density[0]!.highInterval!.low).toBeLessThanOrEqual(study.density[0]!.high!);
    expect(study.densities.map((d) => d.sessions)).toEqual(
      study.densities.map((d) => highest(study.density.filter((r) => r.arm === d.arm))),
    );
    for (const m of study.model) {
      // the models may differ under pressure; with room for all they must not
      expect(m.coarse.agentsLostCount).toBe(m.fine.agentsLostCount);
      expect(Math.abs(m.coarse.high! - m.fine.high!)).toBeLessThan(0.1);
    }
    const path = await writeFleetReport({ study, recorded: [], command: 'agentcgroup simulate <x>' }, dir);
    const html = await readFile(path, 'utf8');
    expect(html).toContain('agentcgroup simulate &#60;x&#62;');
    expect(html).not.toMatch(/NaN|undefined|Infinity|(src|href)="http/);
    const json = JSON.parse(await readFile(join(dir, 'results.json'), 'utf8'));
    expect(json.fleet[0].sessions).toBe(40);
    expect(await readFile(join(dir, 'figures/agents-lost.csv'), 'utf8')).toContain('sessions per node');
  } finally {
    await rm(dir, { recursive: true });
  }
});
