import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { deleteOldTraces } from '../../../src/control/daemon/trace-store.ts';
import { tracePath } from '../../../src/trace/index.ts';

test('old traces go; young ones and the files of others stay', () => {
  const dir = mkdtempSync(join(tmpdir(), 'acg-traces-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const now = Date.now();
  const [old, young] = [tracePath(dir, 's1', 0), tracePath(dir, 's2', now)];
  for (const file of [old, young, join(dir, 'my-data.ndjson')]) {
    writeFileSync(file, '{}\n');
    const days = file === young ? 1 : 40;
    utimesSync(file, new Date(), new Date(now - days * 86_400_000));
  }
  expect(deleteOldTraces(dir, 30, now)).toEqual(['s1-19700101T000000.ndjson']);
  expect(readdirSync(dir).sort()).toEqual(['my-data.ndjson', young.slice(dir.length + 1)]);
  expect(deleteOldTraces(join(dir, 'nowhere'), 30)).toEqual([]);
});
