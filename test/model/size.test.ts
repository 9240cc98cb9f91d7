import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AcgError, formatSize, parseSize } from '../../src/model/index.ts';

test('sizes are powers of 1024', () => {
  expect(parseSize('4096')).toBe(4096);
  expect(parseSize('512m')).toBe(512 * 2 ** 20);
  expect(parseSize('1.5G')).toBe(1.5 * 2 ** 30);
  expect(parseSize('2GiB')).toBe(2 ** 31);
  expect(parseSize('185MB')).toBe(185 * 2 ** 20);
});

test('anything that is not a size is ACG_SIZE, never a wrong number', () => {
  for (const bad of ['', 'm', '-1', '1e9', '0x10', '1 2', 'x[$(touch /tmp/x)]g', '99999999999999999t', '1..5g'])
    expect(() => parseSize(bad), bad).toThrow(expect.objectContaining({ code: 'ACG_SIZE' }));
});

test('parseSize is total: a safe integer or ACG_SIZE', () => {
  fc.assert(
    fc.property(fc.string(), (s) => {
      try {
        return Number.isSafeInteger(parseSize(s)) && parseSize(s) >= 0;
      } catch (e) {
        return e instanceof AcgError && e.code === 'ACG_SIZE';
      }
    }),
  );
});

test('formatSize never prints four digits before the unit changes', () => {
  expect(formatSize(0)).toBe('0 B');
  expect(formatSize(1536)).toBe('1.5 KiB');
  expect(formatSize(1023.7 * 2 ** 20)).toBe('1.0 GiB');
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 49 }), (n) => /^\d{1,4}(\.\d)? ([KMGT]iB|B)$/.test(formatSize(n))),
  );
});
