import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { AcgError, asAcgError, type ErrorCode, errorTable } from '../../src/model/index.ts';

test('what to do stands in the brackets of the message and has none of its own', () => {
  const nested = Object.entries(errorTable).filter(([, { what, remedy }]) => /[()]/.test(what + remedy));
  expect(nested.map(([code]) => code)).toEqual([]);
  for (const [code, { what, remedy }] of Object.entries(errorTable))
    expect(new AcgError(code as ErrorCode, 'a detail').message).toBe(`${what}: a detail (${remedy})`);
});

test('what the system says of a file is ACG_FILE, with its words; what is our fault is not', () => {
  const thrown = (act: () => unknown) => {
    try {
      return act();
    } catch (error) {
      return asAcgError(error);
    }
  };
  expect(thrown(() => readFileSync('/nowhere'))).toMatchObject({
    code: 'ACG_FILE',
    exit: 74,
    message: expect.stringContaining("ENOENT: no such file or directory, open '/nowhere'"),
  });
  expect(thrown(() => readFileSync('\0'))).toMatchObject({ code: 'ACG_INTERNAL' });
  expect(asAcgError(new TypeError('x'))).toMatchObject({ code: 'ACG_INTERNAL', detail: 'x' });
  expect(asAcgError(undefined)).toMatchObject({ code: 'ACG_INTERNAL' });
});

test('docs/errors.md has the table, row by row', () => {
  const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const rows = Object.entries(errorTable).map(
    ([code, { what, remedy, exit, status }]) => `| \`${code}\` | ${what} | ${remedy} | ${exit} | ${status} |`,
  );
  expect(page.split('\n').filter((line) => line.startsWith('| `'))).toEqual(rows);
});
