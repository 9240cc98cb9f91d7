import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CallRecord, TraceRecord } from '../../src/model/index.ts';
import { anonymiser, openTraces, recordsOf } from '../../src/trace/index.ts';
import { attempt, collect, folder, under } from './fixtures.ts';

const key = Buffer.from('a key of at least sixteen bytes');
const call = (command: string, more: Partial<CallRecord> = {}): CallRecord => ({
  type: 'call',
  call: 'c1',
  session: 's1',
  tenant: 'acme',
  tool: 'Bash',
  start: 1e12,
  command,
  ...more,
});
const commandOf = (change: ReturnType<typeof anonymiser>, command: string) =>
  (change(call(command)) as CallRecord).command!;

test('class and shape of a command stay, its own words go', () => {
  const change = anonymiser({ key });
  const got = commandOf(
    change,
    'cd /srv/acme-billing && git commit -m "fix Müller" && pytest -x tests/test_invoice.py',
  );
  expect(got).toMatch(/^cd \/w\w{8}\/w\w{8}-w\w{8} && git commit -m "w\w{8} w\w{8}" && pytest -x tests\/w\w{8}\.py$/);
});

test('the same word is the same everywhere for the same key, and another for another key', () => {
  const change = anonymiser({ key });
  expect(commandOf(change, 'secret secret')).toBe(commandOf(anonymiser({ key }), 'secret secret'));
  const [first, second] = commandOf(change, 'secret secret').split(' ');
  expect(first).toBe(second);
  expect(commandOf(anonymiser(), 'secret')).not.toBe(commandOf(anonymiser(), 'secret'));
});

test('no word of the input that is not public survives, in any field', async () => {
  const files = attempt();
  const [s] = await collect(openTraces([folder(under('customer/project/attempt_1', files))]));
  s!.session.labels = { host: 'build7.internal', user: 'jdoe' };
  s!.session.argv = ['/opt/agent/run', '--repo=customer'];
  Object.assign(s!.calls[1]!, {
    command: 'deploy --token hunter2 build7.internal',
    cwd: '/home/jdoe/project',
    hint: { memory: 'jdoe' },
    hintErrors: ['jdoe said so'],
    feedback: { kind: 'oom', text: 'jdoe ran out', advice: 'ask jdoe', process: 'customerd', peakBytes: 7 },
    explanations: [{ t: 1, text: 'jdoe' }],
    peakProcess: { comm: 'customerd', rssBytes: 9 },
  });
  const change = anonymiser({ key });
  const out = [...recordsOf(s!)].map((r) => change(r));
  const text = JSON.stringify(out);
  for (const word of ['customer', 'project', 'jdoe', 'hunter2', 'internal', 'build7', 'issue', 'c1', 'c2', 'm1'])
    expect(text, word).not.toMatch(new RegExp(`\\b${word}`, 'i'));
  for (const r of out) expect(TraceRecord.safeParse(r).success).toBe(true);
  expect(out.find((r) => r.type === 'call' && r.feedback)).toMatchObject({ feedback: { kind: 'oom', peakBytes: 7 } });
});

test('figures and structure stay: the same import, but for the names', async () => {
  const [s] = await collect(openTraces([folder(under('set/task/attempt_1', attempt()))]));
  const change = anonymiser({ key });
  const path = folder({ 'x.ndjson': [...recordsOf(s!)].map((r) => change(r)) });
  const [a] = await collect(openTraces([path]));
  expect(a!.samples.map((x) => [x.t, x.memoryBytes, x.cpuLifetimePercent, x.gone, x.memoryText])).toEqual(
    s!.samples.map((x) => [x.t, x.memoryBytes, x.cpuLifetimePercent, x.gone, x.memoryText]),
  );
  expect(a!.calls.map((c) => [c.start, c.end, c.tool, c.envelope, c.subAgent])).toEqual(
    s!.calls.map((c) => [c.start, c.end, c.tool, c.envelope, c.subAgent]),
  );
  // links between records hold
  const calls = new Set(a!.calls.map((c) => c.call));
  for (const e of a!.events) for (const c of (e.data?.calls as string[]) ?? []) expect(calls).toContain(c);
});

test('times move back by the same whole number of days, or not at all', () => {
  const shifted = anonymiser({ key, shiftDays: true })(call('ls', { end: 1e12 + 5 })) as CallRecord;
  const days = (1e12 - shifted.start) / 86_400_000;
  expect(days).toBeGreaterThanOrEqual(1);
  expect(days % 1).toBe(0);
  expect(shifted.end! - shifted.start).toBe(5);
  expect(anonymiser({ key })(call('ls'))).toMatchObject({ start: 1e12 });
});

test('any command: what separates words is untouched, words map one to one', () => {
  const change = anonymiser({ key });
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (command) => {
      const got = commandOf(change, command);
      const rest = (text: string) => text.replace(/[\p{L}\p{N}_]+/gu, 'w').replace(/[^\s!-~]/g, '?');
      expect(rest(got)).toBe(rest(command));
    }),
  );
});
