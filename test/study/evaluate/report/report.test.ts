import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { programOf } from '../../../../src/cli/commands/evaluate.ts';
import { summary } from '../../../../src/cli/evaluate/summary.ts';
import { checkScenario } from '../../../../src/study/evaluate/index.ts';
import { judge, report } from '../../../../src/study/evaluate/report/index.ts';
import { pairsOf } from '../../../../src/study/evaluate/report/judge.ts';
import { besideSimulation } from '../../../../src/study/evaluate/report/simulated.ts';
import { blocks, madeRun, type Truth } from './runs.ts';

// many draws: a loaded machine takes its time
vi.setConfig({ testTimeout: 120_000 });

const base: Truth = { highMs: 8000, lowMs: 12_000, growthMs: 2 };
const alone: Truth = { ...base, highMs: 7900, lowMs: 11_000 };
const one = (runs: Parameters<typeof judge>[0]) => judge(runs, undefined, []).experiments[0]!.tables[0]!;
const verdict = (t: ReturnType<typeof one>, measure: string, arm: string, other: string) =>
  t.verdicts.find((v) => v.measure === measure && v.arm === arm && v.other === other)!;

test('a real difference is found, in the right direction, and said in words', () => {
  const t = one(
    blocks(20, {
      alone,
      none: { ...base, highMs: 10_000, growthMs: 4, dies: 0.6 },
      agentcgroup: { ...base, highMs: 8000, growthMs: 2, lowMs: 13_000 },
    }),
  );
  const high = verdict(t, 'high_over_alone', 'agentcgroup', 'none');
  expect(high.finding).toBe('better');
  expect(high.difference!.high).toBeLessThan(-0.2);
  expect(high.text).toMatch(
    /^Time of HIGH over its time alone: agentcgroup against none: better, less by 0\.2\d times its time alone \(95 % interval 0\.2\d? to 0\.\d+, p < 0\.001, n = 20\)\.$/,
  );
  expect(verdict(t, 'growth_p95', 'agentcgroup', 'none').finding).toBe('better');
  expect(verdict(t, 'agents_alive', 'agentcgroup', 'none').finding).toBe('better');
  expect(t.safe.find((s) => s.arm === 'agentcgroup')).toMatchObject({ runs: 20, of: 20 });
  expect(t.safe.find((s) => s.arm === 'none')!.runs).toBeLessThan(16);
  // LOW of none only where it lived: fewer blocks, and said so
  const low = verdict(t, 'low_over_alone', 'agentcgroup', 'none');
  expect(low.n).toBeLessThan(20);
  expect(low.text).toMatch(/blocks left out/);
});

test('where there is no difference none is claimed, at no more than the nominal rate over whole tables', () => {
  let claimed = 0;
  const tables = 16;
  for (let seed = 1; seed <= tables; seed++) {
    const t = one(blocks(8, { alone, none: base, agentcgroup: base }, { seed }));
    const found = t.verdicts.filter((v) => v.finding === 'better' || v.finding === 'worse');
    if (found.length > 0) claimed++;
    expect(t.verdicts.filter((v) => v.finding === 'none').every((v) => v.text.includes('no difference shown'))).toBe(
      true,
    );
  }
  // 5 % of 16 is 0.8; the chance of more than 4 is below one in a hundred, and the seeds are fixed
  expect(claimed).toBeLessThanOrEqual(4);
});

test('too few runs are called that', () => {
  const t = one(blocks(3, { alone, none: base, agentcgroup: { ...base, highMs: 5000 } }));
  const v = verdict(t, 'high_over_alone', 'agentcgroup', 'none');
  expect(v).toMatchObject({ finding: 'too few', difference: null, p: null });
  expect(v.text).toMatch(/too few runs \(3 blocks/);
  // 6 pairs alone could reach 0.03, but not over a table of this many comparisons
  const six = one(blocks(6, { alone, none: base, agentcgroup: { ...base, highMs: 2000, lowMs: 2000, growthMs: 0.1 } }));
  expect(six.blocksNeeded).toBeGreaterThan(6);
  expect(six.verdicts.some((x) => x.finding === 'better')).toBe(false);
});

test('goals: kept, missed, and not shown', () => {
  const e = judge(
    blocks(12, {
      alone,
      none: { ...base, growthMs: 4 },
      agentcgroup: { ...base, lowMs: 16_000, overlap: 0.8, growthMs: 1, noise: 0.02 },
    }),
    undefined,
    [],
  ).experiments[0]!;
  const kept = (what: string) => e.goals.find((g) => g.arm === 'agentcgroup' && g.what.includes(what))!.kept;
  expect(kept('no agent lost')).toBe('kept');
  expect(kept('HIGH within')).toBe('kept');
  expect(kept('LOW at most')).toBe('missed');
  expect(kept('overlap')).toBe('not shown');
  expect(kept('29 %')).toBe('kept');
  // three runs show nothing but what was lost in them
  const few = judge(blocks(3, { alone, none: base, agentcgroup: base, oomd: { ...base, dies: 1 } }), undefined, []);
  const { goals } = few.experiments[0]!;
  expect(new Set(goals.filter((g) => g.arm === 'agentcgroup').map((g) => g.kept))).toEqual(new Set(['not shown']));
  expect(goals.find((g) => g.arm === 'oomd' && g.what === 'no agent lost')!.kept).toBe('missed');
  // 30 % below on average, but not for certain
  const near = judge(
    blocks(12, {
      alone,
      none: { ...base, growthMs: 4, noise: 0.3 },
      agentcgroup: { ...base, growthMs: 2.85, noise: 0.3 },
    }),
    undefined,
    [],
  ).experiments[0]!;
  const growth = near.goals.find((g) => g.what.includes('29 %'))!;
  expect(growth.found).toMatch(/-\d\d % \(-\d\d % to -\d\d %\)$/);
  expect(growth.kept).toBe('not shown');
});

test('the plan says which form of a scenario counts, and in which order they come', () => {
  const scenario = (name: string, hash: string, order: number, startedAt: string) => ({
    ...madeRun('none', 0, base, { scenario: name }),
    ...{ scenarioHash: hash, order, startedAt },
  });
  const runs = [
    scenario('second', 'b', 1, '2026-01-01T00:00:00.000Z'),
    // the clock of the guest that made it was ahead
    { ...scenario('first', 'old', 0, '2026-01-01T00:09:00.000Z'), run: 1 },
    scenario('first', 'new', 0, '2026-01-01T00:05:00.000Z'),
  ];
  const scenarios = [{ hash: 'new', scenario: { name: 'first' } }];
  const plan = { version: 1 as const, createdAt: '', command: [], scenarios, runs: [] };
  const data = judge(runs, plan, []);
  expect(data.experiments.map((e) => e.name)).toEqual(['first', 'second']);
  expect(data.experiments[0]!.tables[0]!.runs.map((r) => r.scenarioHash)).toEqual(['new']);
  expect(data.outdated).toBe(1);
});

test('pairs: ours against all others, the others against no control, nobody against itself or the reference', () => {
  expect(pairsOf(['alone', 'none', 'oomd', 'agentcgroup-cgroup', 'agentcgroup-sched-ext'])).toEqual([
    ['agentcgroup-cgroup', 'none'],
    ['agentcgroup-cgroup', 'oomd'],
    ['agentcgroup-cgroup', 'agentcgroup-sched-ext'],
    ['agentcgroup-sched-ext', 'none'],
    ['agentcgroup-sched-ext', 'oomd'],
    ['oomd', 'none'],
  ]);
});

test('the same scenario in the simulator stands beside the runs', async () => {
  const call = (seconds: number, megabytes: number) => ({
    after: '200ms',
    shape: [
      { at: `${seconds / 2}s`, anon: `${megabytes}m` },
      { at: `${seconds}s`, anon: '10m' },
    ],
  });
  const agent = { anon: '60m' };
  const scenario = checkScenario(
    {
      name: 'made',
      title: 'made',
      what: 'made',
      node: { memory: '700m' },
      sessions: [
        { name: 'high', priority: 'high', agent, calls: [{ ...call(4, 300), workers: 8 }] },
        { name: 'low', priority: 'low', agent, calls: [{ ...call(4, 400), workers: 8 }] },
      ],
    },
    'made',
  );
  const beside = (await besideSimulation(one(blocks(3, { alone, none: base, agentcgroup: base })), scenario))!;
  const row = (arm: string, what: RegExp) => beside.find((b) => b.arm === arm && what.test(b.what))!;
  // together more than the node has, in small workers: without control an agent is the largest process
  expect(row('none', /alive/).simulated).toBeLessThan(100);
  expect(row('agentcgroup', /alive/).simulated).toBe(100);
  expect(row('agentcgroup', /HIGH/).simulated).toBeLessThan(1.1);
  expect(row('agentcgroup', /HIGH/).runs!.low).toBeLessThanOrEqual(row('agentcgroup', /HIGH/).runs!.value);
});

test('runs made from sources newer than what is built are named', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'agentcgroup-report-'));
  try {
    const file = join(dir, 'runs.ndjson');
    const runs = (program: 'bundle' | 'sources') => [
      madeRun('none', 0, base),
      ...[1, 2].map((n) => {
        const run = madeRun('none', n, base);
        return { ...run, environment: { ...run.environment, program } };
      }),
    ];
    const html = async (program: 'bundle' | 'sources') => {
      await writeFile(
        file,
        runs(program)
          .map((r) => `${JSON.stringify(r)}\n`)
          .join(''),
      );
      const written = await report(file, dir);
      return `${await readFile(written.report, 'utf8')}${summary(written)}`;
    };
    expect(await html('bundle')).not.toContain('from the sources');
    const said = await html('sources');
    expect(said).toContain('2 of 3 runs were made from the sources');
    expect(said).toContain('; 2 runs made from the sources');
    expect(said).toContain('agentcgroup 0.1.0 (sources)');
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('what is run is told by where its files are', () => {
  expect(programOf('file:///x/src/cli/commands/evaluate.ts')).toBe('sources');
  expect(programOf('file:///x/dist/cli/commands/evaluate.js')).toBe('built');
  expect(programOf('file:///x/dist/cli/lab/evaluate-Bx1.js')).toBe('bundle');
});

test('a report in one file: broken runs shown, nothing from outside, every figure with its data', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'agentcgroup-report-'));
  try {
    const runs = [
      ...blocks(8, { alone, none: { ...base, dies: 0.5 }, agentcgroup: { ...base, startMs: 900 } }),
      madeRun('none', 8, { ...base, broken: 'the guest <did> not answer' }),
      ...[2, 4].flatMap((variant) =>
        blocks(
          6,
          {
            alone,
            none: { ...base, dies: variant === 4 ? 1 : 0 },
            // nobody is lost, but not all are there at once
            'static-peak': { ...base, ...(variant === 4 && { lateMs: 3000 }) },
            agentcgroup: base,
          },
          { scenario: 'sweep', variant },
        ),
      ),
      { ...madeRun('none', 0, base), scenarioHash: 'old', startedAt: '2020-01-01T00:00:00.000Z', run: 99 },
    ];
    const file = join(dir, 'runs.ndjson');
    await writeFile(file, runs.map((r) => JSON.stringify(r)).join('\n'));
    const plan = { version: 1, createdAt: '', command: ['evaluate', 'made', '--runs', '8'], scenarios: [], runs: [] };
    await writeFile(join(dir, 'plan.json'), JSON.stringify(plan));
    const written = await report(file, join(dir, 'out'), { arms: [{ name: 'none', what: 'nothing is done' }] });
    expect(written.data.experiments.map((e) => e.name)).toEqual(['made', 'sweep']);
    expect(written.data.outdated).toBe(1);
    expect(written.data.experiments[1]!.densities).toEqual([
      { arm: 'none', sessions: 2 },
      { arm: 'static-peak', sessions: 2 },
      { arm: 'agentcgroup', sessions: 4 },
    ]);
    const html = await readFile(written.report, 'utf8');
    expect(html).toContain('the guest &#60;did&#62; not answer');
    expect(html).toContain('agentcgroup evaluate made --runs 8');
    expect(html).not.toMatch(/NaN|undefined|Infinity|(src|href)="(http|\/\/)/);
    const json = JSON.parse(await readFile(written.results, 'utf8'));
    expect(json.experiments[0].tables[0].broken).toEqual([{ arm: 'none', run: 8, why: 'the guest <did> not answer' }]);
    const drawn = await readdir(join(dir, 'out/figures'));
    // who waited at the door has no cgroup yet, and shows all the same
    const shows = async (arm: string) =>
      (await readFile(join(dir, `out/figures/made-timeline-${arm}.svg`), 'utf8')).includes('waiting to start');
    expect([await shows('agentcgroup'), await shows('none')]).toEqual([true, false]);
    expect(drawn.filter((f) => f.endsWith('.svg')).length).toBe(drawn.filter((f) => f.endsWith('.csv')).length);
    await writeFile(file, '');
    await expect(report(file, join(dir, 'out'))).rejects.toMatchObject({ code: 'ACG_USAGE' });
    if (process.env.KEEP_REPORT)
      await (await import('node:fs/promises')).cp(dir, process.env.KEEP_REPORT, { recursive: true });
  } finally {
    await rm(dir, { recursive: true });
  }
});
