import { appendFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CallRecord, EventRecord, SampleRecord, SessionRecord, TraceRecord } from '../../src/model/index.ts';
import { openTraces, readTrace, recordsOf } from '../../src/trace/index.ts';
import { attempt, collect, folder, lines, under } from './fixtures.ts';

const session = (id: string, more: Partial<SessionRecord> = {}): SessionRecord => ({
  type: 'session',
  version: 1,
  session: id,
  tenant: 'acme',
  source: 'daemon',
  start: 1000,
  ...more,
});
const sample = (id: string, t: number, more: Partial<SampleRecord> = {}): SampleRecord => ({
  type: 'sample',
  session: id,
  t,
  memoryBytes: 1,
  ...more,
});
const call = (id: string, n: string, start: number, more: Partial<CallRecord> = {}): CallRecord => ({
  type: 'call',
  call: n,
  session: id,
  tenant: 'acme',
  tool: 'Bash',
  start,
  ...more,
});
const event = (t: number, more: Partial<EventRecord> = {}): EventRecord => ({ type: 'event', t, kind: 'k', ...more });

test('interleaved sessions of one file come one by one, later records winning', async () => {
  const records: TraceRecord[] = [
    session('a'),
    session('b'),
    sample('a', 1001),
    sample('b', 1001),
    call('a', 'c1', 1002),
    sample('b', 1002),
    event(1500),
    sample('a', 1003, { scope: 'call', call: 'c1' }),
    call('a', 'c1', 1002, { end: 1004, exitCode: 0 }),
    event(1005, { session: 'b', data: { session: 'a' } }),
    session('a', { end: 2000 }),
  ];
  const dir = folder({ 'x.ndjson': records });
  const [a, b] = await collect(openTraces([join(dir, 'x.ndjson')]));
  expect(a!.session).toEqual(session('a', { end: 2000 }));
  expect(a!.samples).toEqual([sample('a', 1001), sample('a', 1003, { scope: 'call', call: 'c1' })]);
  expect(a!.calls).toEqual([call('a', 'c1', 1002, { end: 1004, exitCode: 0 })]);
  expect(a!.report.leftOut).toEqual([{ where: 'line 7', why: 'a record of the node, not of a session', count: 1 }]);
  expect(b!.samples).toEqual([sample('b', 1001), sample('b', 1002)]);
  expect(b!.events).toEqual([event(1005, { session: 'b', data: { session: 'a' } })]);
  expect(b!.report.leftOut).toEqual([]);
});

test.each([
  ['.gz', gzipSync],
  ['.zst', zstdCompressSync],
])('sessions of a compressed trace (%s) come one by one as well', async (suffix, compress) => {
  const records = [session('a'), session('b'), sample('a', 1001), sample('b', 1002), sample('a', 1003)];
  const dir = folder({ [`x.ndjson${suffix}`]: compress(Buffer.from(lines(records))) });
  const [a, b] = await collect(openTraces([dir]));
  expect(a!.samples).toEqual([sample('a', 1001), sample('a', 1003)]);
  expect(b!.samples).toEqual([sample('b', 1002)]);
});

test.each([
  ['cut off', gzipSync(Buffer.from(lines([session('a')]))).subarray(0, 40)],
  ['no such thing', Buffer.from('plain text')],
])('a compressed file that is %s is an error with its name, and skipped in a folder', async (_, bytes) => {
  const dir = folder({ 'bad.ndjson.gz': bytes, 'x.ndjson': [session('b'), sample('b', 1)] });
  const bad = join(dir, 'bad.ndjson.gz');
  const error = { code: 'ACG_TRACE', message: expect.stringContaining(bad) };
  await expect(collect(openTraces([bad]))).rejects.toMatchObject(error);
  await expect(collect(readTrace(bad, () => {}))).rejects.toMatchObject(error);
  const skipped: string[] = [];
  const found = await collect(openTraces([dir], { onSkip: (path) => skipped.push(path) }));
  expect(found.map((s) => s.session.session)).toEqual(['b']);
  expect(skipped).toEqual([bad]);
});

test('a session without its session record is imported with the span of what there is', async () => {
  const dir = folder({ 'x.ndjson': [sample('a', 10), sample('a', 20), call('a', 'c', 12, { end: 30 })] });
  const [a] = await collect(openTraces([dir]));
  expect(a!.session).toMatchObject({ session: 'a', start: 10, end: 30 });
  expect(a!.report.notes).toHaveLength(1);
});

test('each cgroup has its own clock order', async () => {
  const one = (t: number) => sample('a', t, { scope: 'call', call: 'c1' });
  const dir = folder({ 'x.ndjson': [session('a'), sample('a', 5), one(5), sample('a', 6), one(6), one(4)] });
  const [a] = await collect(openTraces([dir]));
  expect(a!.samples.map((s) => s.t)).toEqual([5, 5, 6, 6]);
  expect(a!.report.leftOut).toMatchObject([{ where: 'samples of call c1', count: 1 }]);
});

test('bad lines, unknown types and newer versions are named; the rest is read', async () => {
  const text = `${lines([session('a'), { ...session('b'), version: 2 }, { type: 'weather', t: 1 }])}{"type":"sam\n${lines([sample('a', 3), sample('a', -1)])}`;
  const path = join(folder({ 'x.ndjson': text }), 'x.ndjson');
  const bad: string[] = [];
  const good = await collect(readTrace(path, (b) => bad.push(`${b.line}: ${b.why}`)));
  expect(good.map((g) => g.line)).toEqual([1, 5]);
  expect(bad).toEqual([
    '2: written by a newer release: trace version 2, this one reads 1',
    '3: unknown record type "weather"',
    expect.stringMatching(/^4: not valid JSON/),
    expect.stringMatching(/^6: memoryBytes|^6: t: /),
  ]);
});

test('the same content is found through every level of folder', async () => {
  const dir = folder({ ...under('sets/one/task/attempt_1', attempt()), 'sets/node.ndjson': [session('n')] });
  for (const path of ['', 'sets', 'sets/one', 'sets/one/task', 'sets/one/task/attempt_1']) {
    const found = (await collect(openTraces([join(dir, path)]))).map((s) => s.session.session);
    expect(found).toContain('one/task/attempt_1');
  }
});

test('what is no trace: named is an error, met in a folder is skipped and told', async () => {
  const dir = folder({ 'x.jsonl': [{ hello: 1 }], 'y.ndjson': [session('a')], 'notes.txt': 'text' });
  await expect(collect(openTraces([join(dir, 'x.jsonl')]))).rejects.toMatchObject({ code: 'ACG_TRACE' });
  await expect(collect(openTraces([join(dir, 'gone')]))).rejects.toMatchObject({ code: 'ACG_TRACE' });
  const skipped: string[] = [];
  expect(await collect(openTraces([dir], { onSkip: (p) => skipped.push(p) }))).toHaveLength(1);
  expect(skipped).toEqual([join(dir, 'x.jsonl')]);
});

test('nothing at all is an error, a folder that links to itself is no trap', async () => {
  const dir = folder({});
  await expect(collect(openTraces([dir]))).rejects.toMatchObject({ code: 'ACG_TRACE_EMPTY' });
  mkdirSync(join(dir, 'deep'));
  symlinkSync('..', join(dir, 'deep/up'));
  await expect(collect(openTraces([dir]))).rejects.toMatchObject({ code: 'ACG_TRACE_EMPTY' });
});

test('a session imported from anywhere is the same after being written as records', async () => {
  const [s] = await collect(openTraces([folder(under('set/task/attempt_1', attempt()))]));
  const dir = folder({ 'x.ndjson': [...recordsOf(s!)] });
  const [again] = await collect(openTraces([dir]));
  const { path: _, report: __, ...rest } = s!;
  expect(again).toMatchObject(rest);
  expect(again!.samples).toEqual(s!.samples);
  expect(again!.calls).toEqual(s!.calls);
});

const names = ['resources.json', 'results.json', 'tool_calls.json', 'trace.jsonl'];

test('any bytes in any file give a report or a clear error, never a crash', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...names),
      fc.oneof(fc.string(), fc.json(), fc.uint8Array({ maxLength: 300 }), fc.constant('{"samples":[{"epoch":1e999}]}')),
      async (name, content) => {
        const raw = typeof content === 'string' ? Buffer.from(content) : content;
        const files = { ...attempt(), [name]: raw };
        const [s] = await collect(openTraces([folder(under('d/t/attempt_1', files))]));
        expect(s!.report.imported.samples).toBe(s!.samples.length);
        for (const c of s!.calls) expect(c.end === undefined || c.end >= c.start).toBe(true);
        for (let i = 1; i < s!.samples.length; i++) expect(s!.samples[i]!.t).toBeGreaterThan(s!.samples[i - 1]!.t);
      },
    ),
    { numRuns: 150 },
  );
});

test('a file cut anywhere gives the sessions up to there', async () => {
  const whole = lines([session('a'), sample('a', 1), call('a', 'c', 2, { command: 'é "quoted" \\ text' })]);
  const bytes = Buffer.from(whole);
  const path = join(folder({ 'x.ndjson': '' }), 'x.ndjson');
  appendFileSync(path, bytes);
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length), async (cut) => {
      const at = join(folder({ 'x.ndjson': bytes.subarray(0, cut) }), 'x.ndjson');
      const bad: unknown[] = [];
      const good = await collect(readTrace(at, (b) => bad.push(b)));
      const complete = bytes.subarray(0, cut).toString('latin1').split('\n').length - 1;
      expect(good.length === complete || good.length === complete + 1).toBe(true);
      expect(bad.length).toBeLessThanOrEqual(1);
    }),
    { numRuns: 60 },
  );
});
