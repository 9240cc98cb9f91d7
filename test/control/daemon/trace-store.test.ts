import { appendFileSync, existsSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { deleteOldTraces, TraceStore } from '../../../src/control/daemon/trace-store.ts';
import { tracePath } from '../../../src/trace/index.ts';
import { folder } from '../../trace/fixtures.ts';

test('old traces go; young ones and the files of others stay, and what goes away meanwhile is no trouble', () => {
  const directory = folder({});
  const now = Date.now();
  const [old, young] = [tracePath(directory, 's1', 0), tracePath(directory, 's2', now)];
  for (const file of [old, young, join(directory, 'my-data.ndjson')]) {
    writeFileSync(file, '');
    utimesSync(file, new Date(), new Date(now - (file === young ? 1 : 40) * 86_400_000));
  }
  symlinkSync(join(directory, 'gone'), tracePath(directory, 's3', 0));
  expect(deleteOldTraces(directory, 30, now)).toEqual([basename(old)]);
  expect(existsSync(join(directory, 'my-data.ndjson')) && existsSync(young)).toBe(true);
  expect(deleteOldTraces(directory, 30, now)).toEqual([]);
  expect(deleteOldTraces(join(directory, 'nowhere'), 30)).toEqual([]);
});

test('of a trace that an earlier daemon left the calls are read, and nothing else', async () => {
  const told: unknown[] = [];
  const node = { kernel: '7.3', cpus: 2, memoryBytes: 2 ** 30 };
  const store = new TraceStore(folder({}), node, (error) => told.push(error));
  const limits = {};
  const session = { version: 1, session: 's', tenant: 't', priority: 'normal', start: 0, limits, argv: [] } as const;
  const kept = { ...session, argv: [], oomScoreAdj: 0, uid: 0 };
  const call = { type: 'call', call: 's.1', session: 's', tenant: 't', tool: 'Bash', start: 1 } as const;
  await store.open(kept);
  store.writeSession(kept, 'normal');
  store.write('s', call);
  store.write('s', { ...call, end: 2, exitCode: 3 });
  store.write('s', { ...call, call: 's.2' });
  await store.closeAll();
  // would be told of if it were looked at: parsing hours of samples takes a daemon seconds before it serves anybody
  appendFileSync(store.path(kept), '{"type":"sample","t":"soon"}\n');
  expect(await store.calls(kept)).toEqual([
    { ...call, end: 2, exitCode: 3 },
    { ...call, call: 's.2' },
  ]);
  expect(told).toEqual([]);
});
