import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkScenario, keyOf, makePlan, readRuns } from '../../../src/study/evaluate/index.ts';

const scenario = (name: string, more: object = {}) =>
  checkScenario(
    {
      ...{ name, title: name, what: name, node: { memory: '1g' }, runs: 3, arms: ['none', 'alone', 'memory-max'] },
      sessions: [{ name: 'a', calls: [{ shape: [{ at: '1s' }] }] }],
      ...more,
    },
    name,
  );

test('each block has every arm once, in an order that the seed decides', () => {
  const plan = makePlan([scenario('x'), scenario('y', { sweep: { session: 'a', counts: [1, 2] } })], {});
  expect(plan).toHaveLength(3 * 3 + 3 * 2 * 3);
  expect(plan.map((r) => r.order)).toEqual(plan.map((_, i) => i));
  expect(new Set(plan.map(keyOf)).size).toBe(plan.length);
  const blocks = Map.groupBy(plan, (r) => [r.scenario, r.variant, r.run].join());
  for (const block of blocks.values()) {
    expect(block.map((r) => r.arm).sort()).toEqual(['alone', 'memory-max', 'none']);
    expect(new Set(block.map((r) => r.seed)).size).toBe(1);
    expect(block.at(-1)!.order - block[0]!.order).toBe(2);
  }
  const orders = [...blocks.values()].map((block) => block.map((r) => r.arm).join());
  expect(new Set(orders).size).toBeGreaterThan(1);
  expect(makePlan([scenario('x')], { seed: 5 })).toEqual(makePlan([scenario('x')], { seed: 5 }));
});

test('the seed of a run is its own, also where the scenario has the time for a seed; an arm named twice is run once', () => {
  const plan = makePlan([scenario('x', { runs: 50 })], { seed: 1_764_140_000_000, arms: ['none', 'alone', 'none'] });
  expect(new Set(plan.map((r) => r.seed)).size).toBe(50);
  expect(new Set(plan.map(keyOf)).size).toBe(plan.length);
  // as it was before large ones were thought of
  expect(makePlan([scenario('x')], {})[0]!.seed).toBe(741062881);
});

test('two scenarios of one name are refused: their runs could not be told apart', () => {
  expect(() => makePlan([scenario('x'), scenario('x', { runs: 2 })], {})).toThrow(/two scenarios are named x/);
});

test('a raw file that a crash has torn is read up to there; one that is damaged elsewhere is not trusted', () => {
  const dir = mkdtempSync(join(tmpdir(), 'acg-runs-'));
  const file = join(dir, 'runs.ndjson');
  try {
    expect(readRuns(file)).toEqual([]);
    writeFileSync(file, '{"version":1,"scen');
    expect(readRuns(file)).toEqual([]);
    writeFileSync(file, '{"version":1,"scen\n{}\n');
    expect(() => readRuns(file)).toThrow(
      expect.objectContaining({ code: 'ACG_EVALUATE', message: expect.stringContaining(`${file}:1`) }),
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
