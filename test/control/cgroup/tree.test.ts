import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  Cgroup,
  callName,
  type Place,
  parsePlace,
  placePath,
  sessionName,
  tenantName,
} from '../../../src/control/cgroup/index.ts';

const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/);
const call = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const below = fc.constantFrom('', 'libpod-1', 'a/b');
const place: fc.Arbitrary<Place> = fc.oneof(
  fc.constant<Place>({ kind: 'root' }),
  fc.record({ kind: fc.constant('tenant' as const), tenant: name }),
  fc.record({ kind: fc.constant('session' as const), tenant: name, session: name }),
  fc.record({ kind: fc.constant('agent' as const), tenant: name, session: name, below }),
  fc.record({ kind: fc.constant('call' as const), tenant: name, session: name, call, below }),
);

test('every place has one path and every path of ours one place', () => {
  fc.assert(
    fc.property(place, (p) => {
      expect(parsePlace(placePath(p))).toEqual(p);
    }),
  );
});

test('any text parses to a place that prints the same text, or to nothing', () => {
  const part = fc.oneof(
    fc.string(),
    fc.constantFrom('tenant-a', 'session-b', 'agent', 'tool-1', 'tool-01', 'tool-0', '..', '.', ''),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(part, { maxLength: 6 }).map((p) => p.join('/')),
      ),
      (text) => {
        const found = parsePlace(text);
        if (found) expect(placePath(found)).toBe(text);
      },
    ),
  );
});

test.each([
  'tenant-',
  'tenant-a/agent',
  'tenant-a/session-b/tool-0',
  'tenant-a/session-b/tool-1e3',
  '/tenant-a',
  'tenant-a/',
  'tenant-a/session-../agent',
  'tenant-a/session-b/agent/../x',
  'tenant-a/session-b/tool-9007199254740993',
])('not ours: %s', (path) => expect(parsePlace(path)).toBeUndefined());

test('names that could leave the tree or hit a kernel file are refused', () => {
  const refused = expect.objectContaining({ code: 'ACG_CGROUP_NAME' });
  for (const bad of ['', '.', '..', '../x', 'a/b', '.hidden', '-rf', 'a\0b', 'a b', 'x'.repeat(65), 'ü', 'a\n']) {
    expect(() => tenantName(bad)).toThrow(refused);
    expect(() => sessionName(bad)).toThrow(refused);
    if (bad.length !== 65) expect(() => new Cgroup('/nowhere').child(bad)).toThrow(refused);
  }
  for (const bad of [0, -1, 1.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])
    expect(() => callName(bad)).toThrow(refused);
  expect(tenantName('x'.repeat(64))).toBe(`tenant-${'x'.repeat(64)}`);
  expect(new Cgroup('/root').child(tenantName('x'.repeat(64))).path).toBe(`/root/tenant-${'x'.repeat(64)}`);
});
