import { expect, test } from 'vitest';
import { decodeEvent, records } from '../../../src/control/kernel/events.ts';
import { AcgEvent, AcgEventExec, AcgEventExit, AcgEventSample } from '../../../src/control/kernel/wire.ts';

const head = { timeNs: 5, tenant: 1, session: 2, leaf: 3, type: 0, kind: 5, pid: 77, cpu: 1 };

const exec = (args: string, total = args.length) => {
  const bytes = Buffer.from(args);
  const whole = AcgEventExec.encode({
    head: { ...head, type: 2 },
    exe: { dev: 8, ino: 9n },
    ppid: 70,
    argsLen: bytes.length,
    argsTotal: total,
    comm: 'node',
    args: bytes,
  });
  // the kernel sends only what there is
  return decodeEvent(whole.subarray(0, whole.length - 1024 + bytes.length));
};

test('an exec: head, arguments, executable', () => {
  expect(exec('bash\0-c\0echo hi\0')).toEqual({
    timeNs: 5,
    tenant: 1,
    session: 2,
    leaf: 3,
    kind: 'call',
    pid: 77,
    cpu: 1,
    type: 'exec',
    ppid: 70,
    comm: 'node',
    argv: ['bash', '-c', 'echo hi'],
    argvBytes: 16,
    exe: { dev: 8, ino: 9n },
  });
});

test('arguments: empty ones count, a cut one is kept, none is none', () => {
  expect(exec('a\0\0b\0')).toMatchObject({ argv: ['a', '', 'b'] });
  expect(exec('a\0bcd', 2000)).toMatchObject({ argv: ['a', 'bcd'], argvBytes: 2000 });
  expect(exec('')).toMatchObject({ argv: [] });
  expect(exec('\0')).toMatchObject({ argv: [''] });
});

test.each([
  [0x0300, { exitCode: 3, signal: null, coreDumped: false }],
  [9, { exitCode: null, signal: 'SIGKILL', coreDumped: false }],
  [0x8b, { exitCode: null, signal: 'SIGSEGV', coreDumped: true }],
  [40, { exitCode: null, signal: 'SIG40', coreDumped: false }],
])('wait status %i', (status, words) => {
  const record = AcgEventExit.encode({
    head: { ...head, type: 3 },
    status,
    oom: 1,
    startNs: 1,
    peakRss: 4096,
    userNs: 2,
    systemNs: 3,
    runDelayNs: 4,
    comm: 'perl',
  });
  expect(decodeEvent(record)).toMatchObject({ type: 'exit', oomKilled: true, peakRssBytes: 4096, ...words });
});

test('a shrinking call has negative growth', () => {
  const record = AcgEventSample.encode({
    head: { ...head, type: 5 },
    usage: 1,
    sessionUsage: 2,
    growth: -3,
    sinceNs: 4,
  });
  expect(decodeEvent(record)).toMatchObject({ type: 'sample', growthBytesPerSecond: -3 });
});

test('unknown types and stumps are nothing', () => {
  expect(decodeEvent(AcgEvent.encode({ ...head, type: 47 }))).toBeUndefined();
  expect(decodeEvent(new Uint8Array(8))).toBeUndefined();
});

test('a batch is cut into its records', () => {
  const batch = new Uint8Array(8 + 8 + 8 + 16);
  const view = new DataView(batch.buffer);
  const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
  view.setUint32(0, 5, little);
  batch.set([1, 2, 3, 4, 5], 8);
  view.setUint32(16, 16, little);
  batch.fill(7, 24);
  expect([...records(batch)].map((r) => r.length)).toEqual([5, 16]);
});
