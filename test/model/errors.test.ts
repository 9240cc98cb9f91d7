import { expect, test } from 'vitest';
import { AcgError, type ErrorCode, errorTable } from '../../src/model/index.ts';

test('what to do stands in the brackets of the message and has none of its own', () => {
  const nested = Object.entries(errorTable).filter(([, { what, remedy }]) => /[()]/.test(what + remedy));
  expect(nested.map(([code]) => code)).toEqual([]);
  for (const [code, { what, remedy }] of Object.entries(errorTable))
    expect(new AcgError(code as ErrorCode, 'a detail').message).toBe(`${what}: a detail (${remedy})`);
});
