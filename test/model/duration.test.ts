import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDuration } from '../../src/model/index.ts';

test('durations in their units; a bare number is seconds', () => {
  expect(['500ms', '90s', '90', '2m', '1.5h', '0'].map(parseDuration)).toEqual([
    500, 90_000, 90_000, 120_000, 5_400_000, 0,
  ]);
  for (const bad of ['', 's', '-1s', '1 week', '1e3', '1s2m', '1ms ago'])
    expect(() => parseDuration(bad)).toThrow('is not a duration');
});

test('units agree', () => {
  fc.assert(
    fc.property(fc.nat(999_999), (n) => {
      expect(parseDuration(`${n}m`)).toBe(parseDuration(`${n * 60}s`));
      expect(parseDuration(`${n}s`)).toBe(parseDuration(`${n * 1000}ms`));
    }),
  );
});
