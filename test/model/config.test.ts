import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AcgError, configJsonSchema, parseConfig, redactCommand, writtenConfig } from '../../src/model/index.ts';

const MIB = 2 ** 20;

test('an empty file is a valid one, and the defaults are read like anything else', () => {
  const c = parseConfig(null);
  expect(c.mode).toBe('enforce');
  expect(c.session.idleAfter).toBe(2000);
  expect(c.ladder.freezeSlice).toBe(10_000);
  expect(c.node.reserve).toBe(256 * MIB);
  expect(c.tenants).toEqual({});
  expect(parseConfig({})).toEqual(c);
});

test('sizes and durations are read', () => {
  const c = parseConfig({
    node: { memory: '48g', headroom: { low: '2g', critical: 1024 } },
    tenants: { ci: { budget: '8g', guarantee: '512m', priority: 'low', mode: 'observe' } },
    ladder: { throttleMax: '1.5s' },
    admission: { maxWait: '0' },
  });
  expect(c.node).toMatchObject({ memory: 48 * 1024 * MIB, headroom: { low: 2048 * MIB, critical: 1024 } });
  expect(c.tenants.ci).toMatchObject({
    budget: 8192 * MIB,
    guarantee: 512 * MIB,
    priority: 'low',
    mode: 'observe',
    weight: 100,
  });
  expect(c.ladder.throttleMax).toBe(1500);
  expect(c.admission.maxWait).toBe(0);
});

test.each<[string, unknown, string]>([
  ['an unknown key', { ladder: { trottleMax: '1s' } }, 'ladder.trottleMax: no such key'],
  ['an unknown key at the top', { tenant: {} }, 'tenant: no such key'],
  ['a duration without its unit', { ladder: { rest: 5 } }, 'ladder.rest: expected a duration with its unit'],
  ['a duration of nothing', { ladder: { rest: '0' } }, 'ladder.rest: must be longer than 0'],
  ['a size with a wrong unit', { call: { memoryMax: '3x' } }, 'call.memoryMax: expected a size'],
  ['a size that is too large', { call: { memoryMax: '999999999999999t' } }, 'call.memoryMax: the size is too large'],
  ['node memory', { node: { memory: 'all' } }, 'node.memory: expected auto or a size'],
  ['a mode', { mode: 'on' }, 'mode: Invalid option: expected one of "off"|"observe"|"enforce"'],
  ['a tenant name that is a path', { tenants: { '../x': {} } }, 'tenants.../x: letters, digits'],
  ['a regular expression', { record: { redact: ['('] } }, 'record.redact.0: not a regular expression'],
  ['a key of no section', { listen: { http: 'localhost' } }, 'listen: no such key'],
  [
    'marks the wrong way round',
    { node: { headroom: { low: '1m', critical: '2m' } } },
    'node.headroom.critical: must not be above',
  ],
  ['a guarantee above the budget', { tenants: { a: { guarantee: '2g', budget: '1g' } } }, 'tenants.a.guarantee'],
  ['a slice above the total', { ladder: { freezeSlice: '1h' } }, 'ladder.freezeSlice'],
  ['no map', [1], 'the document: '],
])('%s is named', (_, value, message) => {
  expect(() => parseConfig(value, 'f.yaml')).toThrow(expect.objectContaining({ code: 'ACG_CONFIG' }));
  expect(() => parseConfig(value, 'f.yaml')).toThrow(`f.yaml: ${message}`);
});

test('all errors are named at once', () => {
  expect(() => parseConfig({ mode: 1, call: { pids: 'x' }, foo: 1 })).toThrow(/mode: .*call\.pids: .*foo: no such key/);
});

test('total: any value is a configuration or ACG_CONFIG', () => {
  const key = fc.constantFrom(
    'mode',
    'node',
    'memory',
    'tenants',
    'a',
    'budget',
    'ladder',
    'rest',
    'record',
    'redact',
    '__proto__',
    'constructor',
    'version',
  );
  const leaf = fc.oneof(
    fc.constantFrom(null, true, 1, -1, '1g', '10s', 'enforce', 'auto', '', '9'.repeat(400)),
    fc.string(),
    fc.double(),
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('value'), { maxLength: 2 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(value, (v) => {
      try {
        return parseConfig(v).version === 1;
      } catch (e) {
        return e instanceof AcgError && e.code === 'ACG_CONFIG';
      }
    }),
    { numRuns: 20_000 },
  );
}, 60_000);

test('as written, with defaults, it says the same', () => {
  const value = { tenants: { ci: { budget: '8g' } }, ladder: { rest: '3s' } };
  const written = writtenConfig(value);
  expect(written).toMatchObject({
    tenants: { ci: { budget: '8g', weight: 100 } },
    ladder: { rest: '3s', throttleMax: '3s' },
  });
  expect(parseConfig(written)).toEqual(parseConfig(value));
});

test('the published JSON Schema is the one of the code (agentcgroup config schema > docs/config.schema.json)', () => {
  const published = readFileSync(resolve(import.meta.dirname, '../../docs/config.schema.json'), 'utf8');
  expect(JSON.parse(published)).toEqual(configJsonSchema());
});

test('every key of the schema is described or says itself what it is', () => {
  const schema = configJsonSchema() as {
    properties: Record<string, { properties?: Record<string, { description?: string }> }>;
  };
  const bare = Object.entries(schema.properties)
    .filter(([name]) => ['ladder', 'session', 'admission'].includes(name))
    .flatMap(([name, s]) =>
      Object.entries(s.properties ?? {})
        .filter(([, p]) => !p.description)
        .map(([k]) => `${name}.${k}`),
    );
  expect(bare).toEqual([]);
});

test('secrets in command lines are not recorded by default', () => {
  const { record } = parseConfig({});
  expect(redactCommand('GITHUB_TOKEN=abc curl -H "Authorization: Bearer xyz" https://me:pw@host/x', record)).toBe(
    'GITHUB_TOKEN=... curl -H "Authorization: Bearer ... https://me:...@host/x',
  );
  expect(redactCommand("API_KEY='a b' x", record)).toBe('API_KEY=... x');
  expect(redactCommand('pytest -q', record)).toBe('pytest -q');
  expect(redactCommand('x', { ...record, commands: 'none' })).toBeUndefined();
  expect(redactCommand('TOKEN=a', { ...record, commands: 'full' })).toBe('TOKEN=a');
});
