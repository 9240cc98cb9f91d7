import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { density } from '../../../src/study/characterize/density.ts';
import { Store, type Study, study, writeReport } from '../../../src/study/characterize/index.ts';
import { type PastCall, predictability, quantileRegression } from '../../../src/study/characterize/predict.ts';

/** Sessions made by hand, so that every figure can be worked out on paper. */
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'agentcgroup-study-test-'));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

const t0 = 1_770_000_000_000;
const session = (id: string, extra: object = {}) => ({
  type: 'session',
  version: 1,
  session: id,
  tenant: 'x',
  source: 'record',
  start: t0,
  end: t0 + 10_000,
  ...extra,
});
const sample = (id: string, s: number, mb: number, cpu_s: number) => ({
  type: 'sample',
  session: id,
  t: t0 + s * 1000,
  memoryBytes: mb * 1e6,
  cpuUsec: cpu_s * 1e6,
});
const call = (id: string, n: number, from: number, to: number, extra: object = {}) => ({
  type: 'call',
  call: `${id}-${n}`,
  session: id,
  tenant: 'x',
  tool: 'Bash',
  seq: n,
  start: t0 + from * 1000,
  end: t0 + to * 1000,
  ...extra,
});

/** 100 MB idle, 500 MB from second 3 to 5; one test command that holds the burst, a sub-agent around it; CPU 50 % then. */
function byHand(id: string, extra: object = {}): object[] {
  return [
    session(id, extra),
    ...Array.from({ length: 11 }, (_, s) =>
      sample(id, s, s >= 3 && s <= 5 ? 500 : 100, s <= 2 ? 0 : Math.min(s, 5) / 2 - 1),
    ),
    call(id, 0, 2, 8, { tool: 'Task', envelope: true }),
    call(id, 1, 2.5, 5.5, { command: 'pytest -q', subAgent: true }),
    call(id, 2, 8.2, 8.4, { tool: 'Read' }),
  ];
}

async function run(name: string, records: object[], options: Parameters<typeof study>[2] = {}): Promise<Study> {
  const path = join(dir, `${name}.ndjson`);
  await writeFile(path, records.map((r) => `${JSON.stringify(r)}\n`).join(''));
  await using store = await Store.create();
  return await study(store, [{ path, set: 'hand' }], options);
}

const sound = (s: Study, id: string, part = 'value') =>
  s.findings.find((f) => f.id === id)!.detail.hand!.sound[part]!.value;
const paper = (s: Study, id: string, part = 'value') =>
  s.findings.find((f) => f.id === id)!.detail.hand!.paper![part]!.value;

describe('a session worked out by hand', () => {
  let s: Study;
  beforeAll(async () => {
    s = await run('hand', byHand('a'));
  }, 60_000);

  test('counts and time', () => {
    expect(sound(s, 'setup.counts')).toBe(1);
    expect(sound(s, 'dur.mean')).toBeCloseTo(10 / 60, 9);
  });

  test('the envelope is added up by the paper, left out by the sound rule', () => {
    expect(paper(s, 'tool.share_active_mean')).toBeCloseTo(92, 9); // (6 + 3 + 0.2) of 10 s
    expect(sound(s, 'tool.share_active_mean')).toBeCloseTo(32, 9); // 3 + 0.2
    expect(sound(s, 'tool.share_union', 'mean')).toBeCloseTo(62, 9); // 6 + 0.2
    expect(paper(s, 'tool.time_haiku', 'Task')).toBeCloseTo((100 * 6) / 9.2, 9);
    expect(sound(s, 'tool.time_haiku', 'Bash')).toBeCloseTo((100 * 3) / 3.2, 9);
  });

  test('memory: peak to average, burst, idle, attribution', () => {
    expect(paper(s, 'mem.p2a', 'ratio')).toBeCloseTo(500 / ((3 * 500 + 8 * 100) / 11), 9);
    expect(sound(s, 'mem.p2a', 'ratio')).toBeCloseTo(500 / ((3 * 500 + 7 * 100) / 10), 9);
    expect(sound(s, 'burst.length', 'max')).toBe(3);
    expect(sound(s, 'burst.height', 'max')).toBe(400);
    expect(sound(s, 'mem.baseline')).toBe(100);
    expect(sound(s, 'burst.mem_in_tool')).toBe(100);
    expect(sound(s, 'burst.time_share')).toBeCloseTo(300 / 11, 9);
    expect(sound(s, 'burst.concentration')).toBeCloseTo(11 / 3, 9);
    expect(sound(s, 'rate.max', 'rate')).toBe(400);
    expect(sound(s, 'spike.test_p95')).toBe(400);
  });

  test('CPU from counters', () => {
    expect(sound(s, 'cpu.max')).toBeCloseTo(50, 6);
    expect(sound(s, 'cpu.mean_all')).toBeCloseTo(15, 6); // 1.5 s of work in 10 s
  });

  test('a band per call saves the peak outside the call', () => {
    // the peak throughout: 5000 MB s; in use, with the higher end of each interval: 4 at 500, 6 at 100
    expect(sound(s, 'band.unused', 'all_sessions')).toBeCloseTo(100 * (1 - 2600 / 5000), 9);
    expect(sound(s, 'band.saved', 'all_sessions')).toBeCloseTo(100 * (1 - 2600 / 5000), 9);
  });

  test('what one session cannot say is null with a reason', () => {
    for (const id of ['setup.subset', 'cpu.ratio', 'image.average', 'repeat.dvc777']) {
      const values = Object.values(s.findings.find((f) => f.id === id)!.detail).flatMap((d) => Object.values(d.sound));
      for (const v of values) if (v.value === null) expect(v.reason, id).toBeTruthy();
    }
    expect(sound(s, 'image.average')).toBeNull();
  });
});

describe('whatever it is given', () => {
  test('sessions without tool calls, without samples, with nothing at all: no crash, no NaN, a whole report', async () => {
    const records = [
      ...byHand('a'),
      session('no-calls'),
      ...Array.from({ length: 5 }, (_, i) => sample('no-calls', i, 50, 0)),
      session('no-samples'),
      call('no-samples', 0, 0, 1, { command: 'ls </script><script>alert(1)</script>' }),
      call('no-samples', 1, 1, 1),
      session('empty'),
    ];
    const path = join(dir, 'odd.ndjson');
    await writeFile(path, records.map((r) => `${JSON.stringify(r)}\n`).join(''));
    await using store = await Store.create();
    const s = await study(store, [{ path }]);
    expect(s.gathered.used).toBe(4);
    const out = join(dir, 'odd-report');
    const written = await writeReport(store, s, out);
    const html = await readFile(written.report, 'utf8');
    expect(html).not.toMatch(/\bNaN\b(?!\()/.exec(html.replace(/<script>[\s\S]*?<\/script>/g, ''))?.[0] ?? '\u0000');
    expect(html).not.toContain('<script>alert(1)');
    const json = JSON.parse(await readFile(written.findings, 'utf8'));
    expect(json.tasks).toHaveLength(4);
    expect(json.findings['burst.length'].sound.odd.max).toBe(3);
    expect(Object.keys(json.findings).length).toBeGreaterThan(80);
  }, 60_000);

  test('sessions without any samples', async () => {
    const s = await run('dry', [
      session('dry'),
      call('dry', 0, 0, 4, { command: 'make test' }),
      call('dry', 1, 2, 6, { command: 'git diff' }),
    ]);
    expect(sound(s, 'mem.p2a', 'ratio')).toBeNull();
    expect(sound(s, 'bash.share_tests')).toBeCloseTo(50, 9);
    expect(s.derived.density).toEqual([]);
  }, 60_000);

  test('nothing usable is an error with its code', async () => {
    await expect(run('short', byHand('a'), { filter: { minSamples: 1000, minSeconds: 0 } })).rejects.toMatchObject({
      code: 'ACG_TRACE_EMPTY',
      message: expect.stringContaining('fewer than 1000 samples'),
    });
    await using store = await Store.create();
    await expect(study(store, [{ path: join(dir, 'nowhere') }])).rejects.toMatchObject({ code: 'ACG_TRACE' });
  }, 60_000);

  test('two sets: what they share, and how sure the difference is', async () => {
    const write = async (name: string, factor: number) => {
      const records = Array.from({ length: 8 }, (_, i) =>
        byHand(`${name}${i}`, { task: `task${i}`, end: t0 + (10 + i * factor) * 1000 }),
      ).flat();
      const path = join(dir, `${name}.ndjson`);
      await writeFile(path, records.map((r) => `${JSON.stringify(r)}\n`).join(''));
      return { path, set: name };
    };
    await using store = await Store.create();
    const s = await study(store, [await write('a', 0), await write('b', 10)], { compare: ['a', 'b'] });
    expect(s.findings.find((f) => f.id === 'setup.subset')!.sound).toEqual({ all: 8 });
    const mean = s.comparison!.differences.find((d) => d.id === 'dur.mean')!;
    expect(mean.difference).toBeCloseTo(35 / 60, 6);
    expect(mean.low).toBeGreaterThan(0);
    expect(mean.high).toBeGreaterThan(mean.difference);
    await using other = await Store.create();
    await expect(study(other, [await write('a', 0)], { compare: ['a', 'c'] })).rejects.toMatchObject({
      code: 'ACG_USAGE',
    });
  }, 60_000);
});

describe('simulation and prediction', () => {
  const course = (mb: number[], band = mb) => ({
    set: 's',
    task: 't',
    t: mb.map((_, i) => i),
    mb,
    band,
    cpu: mb.map(() => 50),
  });

  test('constant sessions fit exactly as often as the node is large', () => {
    const d = density('s', [course(Array.from({ length: 20 }, () => 100))], {
      nodeMb: 1050,
      seed: 3,
      trials: 5,
      horizon: 30,
    })!;
    expect([d.peak.median, d.band.median, d.use.median]).toEqual([10, 10, 10]);
    expect(d.cores).toBeCloseTo(5, 9);
  });

  test('sessions with a rare burst fit better by use than by peak, and never worse', () => {
    const mb = Array.from({ length: 100 }, (_, i) => (i === 50 ? 1000 : 100));
    const d = density('s', [course(mb)], { nodeMb: 10_000, seed: 3, trials: 20, horizon: 200 })!;
    expect(d.peak.median).toBe(10);
    expect(d.use.median).toBeGreaterThan(30);
    expect(d.use99.median).toBeGreaterThanOrEqual(d.use.median);
    expect(density('s', [], { nodeMb: 1, seed: 1 })).toBeNull();
  });

  test('quantile regression finds the line below which the asked share lies', () => {
    const x: number[][] = [];
    const y: number[] = [];
    for (let i = 0; i < 400; i++) {
      x.push([1, i / 100]);
      y.push(2 * (i / 100) + ((i * 7919) % 100) / 100);
    }
    const [a, b] = quantileRegression(x, y, 0.9);
    const under = y.filter((v, i) => v <= a! + b! * x[i]![1]!).length;
    expect(under / y.length).toBeGreaterThan(0.86);
    expect(under / y.length).toBeLessThan(0.94);
    expect(b).toBeCloseTo(2, 0);
  });

  test('predictors: a class that tells all is learned, too little data is said', () => {
    const calls: PastCall[] = Array.from({ length: 400 }, (_, i) => ({
      id: i % 20,
      task: `t${i % 20}`,
      class: i % 2 ? 'tests' : 'git',
      demand_mb: i % 2 ? 500 : 1,
      last_demand_mb: null,
    }));
    const byClass = predictability(calls).find((p) => p.predictor === 'by class')!;
    expect(byClass.covered).toBe(100);
    expect(byClass.reserved).toBeCloseTo(1, 6);
    expect(byClass.skill).toBeGreaterThan(90);
    expect(predictability(calls.slice(0, 10))).toEqual([]);
  });
});
