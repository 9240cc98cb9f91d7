import { appendFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { deleteOldTraces, TraceStore } from '../../../src/control/daemon/trace-store.ts';
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

test('of a trace that an earlier daemon left the calls are read, and nothing else', async () => {
  const told: unknown[] = [];
  const node = { kernel: '7.3', cpus: 2, memoryBytes: 2 ** 30 };
  const store = new TraceStore(folder({}), node, (error) => told.push(error));
  const limits = {};
  const session = { version: 1, session: 's', tenant: 't', priority: 'normal', start: 0, limits, argv: [] } as const;
  const kept = { ...session, argv: [], oomScoreAdj: 0, uid: 0 };
  const call = { type: 'call', call: 's.1', session: 's', tenant: 't', tool: 'Bash', start: 1 } as const;
  await store.open(kept);
  store.writeSession(kept);
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
