import { symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { deleteOldTraces } from '../../../src/control/daemon/trace-store.ts';
import { folder } from '../../trace/fixtures.ts';

test('old traces are deleted; what goes away meanwhile is no trouble', () => {
  const directory = folder({});
  for (const [name, days] of [
    ['old.ndjson', 31],
    ['new.ndjson', 29],
    ['old.txt', 31],
  ] as const) {
    writeFileSync(join(directory, name), '');
    const then = Date.now() / 1000 - days * 86_400;
    utimesSync(join(directory, name), then, then);
  }
  symlinkSync(join(directory, 'gone'), join(directory, 'gone.ndjson'));
  expect(deleteOldTraces(directory, 30)).toEqual(['old.ndjson']);
  expect(deleteOldTraces(directory, 30)).toEqual([]);
});
