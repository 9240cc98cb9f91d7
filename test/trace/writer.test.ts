import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AcgError, EventRecord, TraceRecord } from '../../src/model/index.ts';
import { readTrace, TraceWriter, tracePath } from '../../src/trace/index.ts';
import { collect, folder } from './fixtures.ts';

const event = (t: number, text = 'x'): EventRecord => ({ type: 'event', t, kind: 'test', text });
const read = async (path: string) => {
  const bad: unknown[] = [];
  const good = await collect(readTrace(path, (b) => bad.push(b)));
  return { records: good.map((g) => g.record), bad };
};

test('what is written is read back, in order', async () => {
  const path = join(folder({}), 'new/folder/a.ndjson');
  const w = await TraceWriter.open(path, { fsync: true });
  const records = Array.from({ length: 5000 }, (_, i) => event(i, `line ${i} \n ünïcode`));
  for (const r of records) w.write(r);
  expect(await w.close()).toEqual({ records: 5000, bytes: statSync(path).size, dropped: 0 });
  expect(await read(path)).toEqual({ records, bad: [] });
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

const id = fc.string({ minLength: 1, maxLength: 128 });
const amount = fc.double({ min: 0, max: 1e15, noNaN: true }).map((n) => (Object.is(n, -0) ? 0 : n));
const records: fc.Arbitrary<TraceRecord> = fc.oneof(
  fc.record(
    {
      type: fc.constant('sample' as const),
      session: id,
      t: amount,
      memoryBytes: amount,
      scope: fc.constantFrom('session' as const, 'agent' as const, 'call' as const),
      cgroup: fc.string(),
      pids: fc.nat(),
      gone: fc.boolean(),
    },
    { requiredKeys: ['type', 'session', 't', 'memoryBytes'] },
  ),
  fc.record(
    {
      type: fc.constant('call' as const),
      call: id,
      session: id,
      tenant: fc.constant('acme'),
      tool: fc.string(),
      start: amount,
      command: fc.string({ unit: 'binary' }),
      argv: fc.array(fc.string()),
      exitCode: fc.option(fc.integer()),
      hint: fc.dictionary(id, fc.oneof(fc.string(), fc.integer())),
    },
    { requiredKeys: ['type', 'call', 'session', 'tenant', 'tool', 'start'] },
  ),
  fc.record(
    {
      type: fc.constant('event' as const),
      t: amount,
      kind: fc.string({ minLength: 1, maxLength: 64 }),
      text: fc.string(),
      // the reader leaves out a key that would name a prototype
      data: fc.dictionary(
        fc.string().filter((key) => key !== '__proto__'),
        fc.jsonValue(),
      ) as fc.Arbitrary<Record<string, unknown>>,
    },
    { requiredKeys: ['type', 't', 'kind'] },
  ),
);

test('whatever the record, what is read is what was written', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(records, { maxLength: 20 }), async (written) => {
      const path = join(folder({}), 'a.ndjson');
      const w = await TraceWriter.open(path);
      for (const r of written) w.write(r);
      await w.close();
      const { records: got, bad } = await read(path);
      expect(bad).toEqual([]);
      expect(got).toEqual(JSON.parse(JSON.stringify(written)));
    }),
    { numRuns: 60 },
  );
});

test('records reach the file without close, within the flush time', async () => {
  const path = join(folder({}), 'a.ndjson');
  const w = await TraceWriter.open(path, { flushMs: 5 });
  w.write(event(1));
  await expect.poll(() => readFileSync(path, 'utf8')).toContain('"t":1');
  await w.close();
});

test('a torn last line is ended, stands alone as a bad line, and everything after it is sound', async () => {
  const dir = folder({ 'a.ndjson': `${JSON.stringify(event(1))}\n{"type":"event","t":2,"ki` });
  const path = join(dir, 'a.ndjson');
  expect(await read(path)).toMatchObject({ records: [event(1)], bad: [{ line: 2 }] });
  const w = await TraceWriter.open(path);
  w.write(event(3));
  await w.close();
  const after = await read(path);
  expect(after.records).toEqual([event(1), event(3)]);
  expect(after.bad).toMatchObject([{ line: 2, why: expect.stringContaining('not valid JSON') }]);
});

test('two writers append to one file without tearing lines', async () => {
  const path = join(folder({}), 'a.ndjson');
  const writers = await Promise.all([TraceWriter.open(path, { flushMs: 0 }), TraceWriter.open(path, { flushMs: 0 })]);
  for (let i = 0; i < 200; i++) {
    for (const w of writers) w.write(event(i, 'y'.repeat(500)));
    if (i % 10 === 0) await Promise.all(writers.map((w) => w.flush()));
  }
  await Promise.all(writers.map((w) => w.close()));
  const { records, bad } = await read(path);
  expect(bad).toEqual([]);
  expect(records).toHaveLength(400);
});

test('a full disk is reported once, counted, and never thrown', async () => {
  const errors: AcgError[] = [];
  const w = await TraceWriter.open('/dev/full', { onError: (e) => errors.push(e), maxBufferBytes: 10_000, flushMs: 1 });
  for (let i = 0; i < 100; i++) {
    w.write(event(i, 'z'.repeat(200)));
    if (i % 20 === 0) await w.flush();
  }
  expect(await w.close()).toEqual({ records: 0, bytes: 0, dropped: 100 });
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatchObject({ code: 'ACG_TRACE_WRITE', message: expect.stringContaining('ENOSPC') });
});

test('a record that is no JSON is dropped and reported', async () => {
  const errors: AcgError[] = [];
  const path = join(folder({}), 'a.ndjson');
  const w = await TraceWriter.open(path, { onError: (e) => errors.push(e) });
  w.write({ ...event(1), data: { big: 1n } });
  w.write({ ...event(2), session: 's1' });
  expect(await w.close()).toMatchObject({ records: 2, dropped: 1 });
  expect(errors).toHaveLength(1);
  const { records } = await read(path);
  // the gap is told in the trace itself, after the records that did arrive
  expect(records).toMatchObject([event(2), { kind: 'trace-gap', session: 's1', data: { records: 1 } }]);
});

test('after close nothing more is taken', async () => {
  const path = join(folder({}), 'a.ndjson');
  const w = await TraceWriter.open(path);
  await w.close();
  w.write(event(1));
  await w.close();
  expect(readFileSync(path, 'utf8')).toBe('');
});

test('a place that cannot be written is an error with a code', async () => {
  const dir = folder({ file: 'x' });
  await expect(TraceWriter.open(join(dir, 'file/a.ndjson'))).rejects.toMatchObject({ code: 'ACG_TRACE_WRITE' });
});

test('the path of a session trace is its name and start; no name climbs out', () => {
  expect(tracePath('/t', 's-1', Date.UTC(2026, 0, 2, 3, 4, 5, 678))).toBe('/t/s-1-20260102T030405678.ndjson');
  expect(() => tracePath('/t', '../x', 0)).toThrow();
});

test('a line that is no UTF-8 is a bad line, not a crash', async () => {
  const path = join(folder({}), 'a.ndjson');
  writeFileSync(path, Buffer.from([0xff, 0xfe, 0x0a]));
  appendFileSync(path, `${JSON.stringify(event(1))}\n`);
  expect(await read(path)).toMatchObject({ records: [event(1)], bad: [{ line: 1 }] });
});
