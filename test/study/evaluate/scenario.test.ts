import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkScenario, hashOf, loadScenario, planSessions } from '../../../src/study/evaluate/index.ts';

const library = join(import.meta.dirname, '../../../scenarios');
const none = async () => [];

test('every scenario of the library is sound, and named like its file', () => {
  const files = readdirSync(library).filter((f) => f.endsWith('.yaml'));
  expect(files.length).toBeGreaterThan(10);
  for (const file of files) expect(`${loadScenario(join(library, file)).name}.yaml`).toBe(file);
});

const written = {
  name: 'x',
  title: 'X',
  what: 'what',
  node: { memory: '1g' },
  sessions: [
    { name: 'a', count: 2, calls: [{ shape: [{ at: '1s', anon: '10m' }], repeat: 3 }] },
    { name: 'b', priority: 'high', tenant: 't', calls: [{ shape: [{ at: '1s', anon: '20m' }] }] },
  ],
};

test('sessions are made as often as the scenario says, each with a tenant of its own unless one is named', async () => {
  const scenario = checkScenario({ ...written, sweep: { session: 'a', counts: [1, 3] } }, 'x.yaml');
  const names = async (variant: number | null) =>
    (await planSessions(scenario, variant, 1, none)).map((s) => [s.name, s.role, s.tenant, s.replay.calls.length]);
  expect(await names(null)).toEqual([
    ['a-1', 'a', 'a-1', 3],
    ['a-2', 'a', 'a-2', 3],
    ['b', 'b', 't', 1],
  ]);
  expect((await names(3)).map(([name]) => name)).toEqual(['a-1', 'a-2', 'a-3', 'b']);
  expect((await names(1)).map(([name]) => name)).toEqual(['a-1', 'b']);
});

test('the hash follows what a run does, not how often or under what it is run', () => {
  const hash = (more: object) => hashOf(checkScenario({ ...written, ...more }, 'x.yaml'));
  expect(hash({})).toBe(hash({}));
  expect(hash({})).not.toBe(hash({ seed: 2 }));
  expect(hash({})).not.toBe(hash({ node: { memory: '700m' } }));
  expect(hash({})).toBe(hash({ arms: ['alone'], runs: 3, title: 'another' }));
});

test('what is wrong is named with its path', () => {
  const wrong = (more: object) => () => checkScenario({ ...written, ...more }, 'x.yaml');
  expect(wrong({ node: { memory: 'much' } })).toThrow(/x\.yaml: node\.memory: expected a size/);
  expect(wrong({ speeed: 2 })).toThrow(/speeed/);
  expect(wrong({ sweep: { session: 'c', counts: [1] } })).toThrow(/no session c/);
  expect(wrong({ sessions: [{ name: 'a' }] })).toThrow(/exactly one of calls, trace, synthetic, commands/);
  const back = [{ name: 'a', calls: [{ shape: [{ at: '2s' }, { at: '1s' }] }] }];
  expect(wrong({ sessions: back })).toThrow(/sessions\.0\.calls\.0\.shape\.1\.at: earlier/);
});

test('of several drawn sessions each is drawn by itself, whatever its name', async () => {
  const synthetic = { traces: ['t'], calls: 3 };
  const sessions = [
    { name: 'a', count: 2, synthetic },
    { name: 'b', synthetic },
  ];
  const seeds: number[] = [];
  await planSessions(checkScenario({ ...written, sessions }, 'x.yaml'), null, 7, async (_, __, seed) => {
    seeds.push(seed);
    return [];
  });
  expect(new Set(seeds).size).toBe(3);
});
