import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mergeTraces } from '../../src/trace/index.ts';
import { collect, folder, lines } from './fixtures.ts';

const merge = async (files: string[]) => {
  const dir = folder(Object.fromEntries(files.map((text, i) => [`${i}.ndjson`, text])));
  const bad: string[] = [];
  const out = await collect(
    mergeTraces(
      files.map((_, i) => join(dir, `${i}.ndjson`)),
      (path, b) => bad.push(`${path.at(-8)}:${b.line}`),
    ),
  );
  return { out: out.map((l) => JSON.parse(l)), bad };
};

test('every line once, each file in its own order, the earlier time first', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.nat(50), { maxLength: 15 }), { minLength: 1, maxLength: 5 }),
      async (files) => {
        const sorted = files.map((times, f) => times.sort((a, b) => a - b).map((t, n) => ({ type: 'event', t, f, n })));
        const { out } = await merge(sorted.map(lines));
        expect(out).toHaveLength(sorted.flat().length);
        for (let i = 1; i < out.length; i++) {
          const [a, b] = [out[i - 1], out[i]];
          expect(a.t < b.t || (a.t === b.t && (a.f < b.f || (a.f === b.f && a.n < b.n)))).toBe(true);
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('a call stands where it was written, at its end; a clock that went back does not reorder its file', async () => {
  const one = [{ t: 1 }, { type: 'call', start: 1, end: 9 }, { t: 4, late: true }];
  const two = [{ t: 8 }, { t: 10 }];
  const { out } = await merge([lines(one), lines(two)]);
  expect(out).toEqual([one[0], two[0], one[1], one[2], two[1]]);
});

test('lines that are no objects are left out and named; unknown records pass', async () => {
  const { out, bad } = await merge([`${lines([{ type: 'weather', t: 3 }])}{"torn\n\n17\n`, lines([{ t: 1 }])]);
  expect(out).toEqual([{ t: 1 }, { type: 'weather', t: 3 }]);
  expect(bad).toEqual(['0:2', '0:4']);
});
