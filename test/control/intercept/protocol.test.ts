import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type DaemonMessage,
  encode,
  FrameReader,
  HEADER_BYTES,
  MAX_PAYLOAD,
  type ShimMessage,
  sharedVariables,
  verdict,
} from '../../../src/control/intercept/index.ts';
import { AcgError } from '../../../src/model/index.ts';

// A lone surrogate has no UTF-8 form and NUL cannot occur in an argument: neither can be sent.
const text = (maxLength = 200) =>
  fc.string({ unit: 'binary', maxLength }).filter((s) => !s.includes('\0') && s.isWellFormed());
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const pid = fc.integer({ min: 1, max: 2 ** 22 });
const u64 = fc.maxSafeNat();

const shimMessage: fc.Arbitrary<ShimMessage> = fc.oneof(
  fc.record({
    type: fc.constant('open' as const),
    shell: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,20}$/),
    args: fc.array(text(), { maxLength: 30 }),
    argBytes: u64,
    cwd: text(),
    env: fc.dictionary(fc.constantFrom(...sharedVariables), text(), { noNullPrototype: true }),
    stdinIsTty: fc.boolean(),
    interactive: fc.boolean(),
  }),
  fc.record({ type: fc.constant('started' as const), pid }),
  fc.record({
    type: fc.constant('ended' as const),
    status: u32,
    userUsec: u64,
    systemUsec: u64,
    maxRssKib: u64,
  }),
  fc.record({ type: fc.constant('resume' as const), call: text(30), pid }),
);

const daemonMessage: fc.Arbitrary<DaemonMessage> = fc.oneof(
  fc.record(
    {
      type: fc.constant('opened' as const),
      verdict: fc.constantFrom(...(Object.keys(verdict) as (keyof typeof verdict)[])),
      call: text(30),
      oomScoreAdj: fc.integer({ min: -1000, max: 1000 }),
      schedExt: fc.constant(true),
      text: text(),
    },
    { requiredKeys: ['type', 'verdict', 'call'] },
  ),
  fc.record({ type: fc.constant('closed' as const), text: text() }),
  fc.record({ type: fc.constantFrom('resumed' as const, 'queued' as const) }),
  fc.record({ type: fc.constant('error' as const), code: text(20), text: text() }),
);

/** Cuts bytes at arbitrary places. */
function cut(bytes: Uint8Array, places: number[]): Uint8Array[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((start, i) => bytes.subarray(start, at[i] ?? bytes.length));
}

const places = fc.array(fc.nat(100_000), { maxLength: 30 });

test('what is encoded is decoded again, however the stream is cut (shim)', () => {
  fc.assert(
    fc.property(fc.array(shimMessage, { maxLength: 5 }), places, (messages, at) => {
      const reader = new FrameReader('shim');
      const read = cut(Buffer.concat(messages.map(encode)), at).flatMap((chunk) => reader.push(chunk));
      reader.end();
      expect(read).toEqual(messages);
    }),
  );
});

test('what is encoded is decoded again, however the stream is cut (daemon)', () => {
  fc.assert(
    fc.property(fc.array(daemonMessage, { maxLength: 5 }), places, (messages, at) => {
      const reader = new FrameReader('daemon');
      const read = cut(Buffer.concat(messages.map(encode)), at).flatMap((chunk) => reader.push(chunk));
      reader.end();
      expect(read).toEqual(messages);
    }),
  );
});

/** Feeds bytes; every error must be one of ours, every buffer bounded. */
function feed(sender: 'shim' | 'daemon', chunks: Uint8Array[]): void {
  const reader = new FrameReader(sender);
  for (const chunk of chunks) {
    try {
      reader.push(chunk);
    } catch (error) {
      expect(error).toBeInstanceOf(AcgError);
      expect((error as AcgError).code).toMatch(/^ACG_PROTOCOL/);
      expect(() => reader.push(Buffer.alloc(1))).toThrow(AcgError);
    }
    expect(reader.buffered).toBeLessThanOrEqual(HEADER_BYTES + MAX_PAYLOAD);
  }
}

test('any bytes in any pieces: an AcgError or nothing, and a bounded buffer', () => {
  fc.assert(
    fc.property(fc.constantFrom('shim' as const, 'daemon' as const), fc.array(fc.uint8Array()), (sender, chunks) =>
      feed(sender, chunks),
    ),
    { numRuns: 500 },
  );
});

test('a valid stream with a few bytes changed: the same', () => {
  const change = fc.array(fc.tuple(fc.nat(5000), fc.nat(255)), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.oneof(shimMessage, daemonMessage), change, places, (message, changes, at) => {
      const bytes = encode(message);
      for (const [place, value] of changes) bytes[place % bytes.length] = value;
      feed('shim', cut(bytes, at));
      feed('daemon', cut(bytes, at));
    }),
    { numRuns: 1000 },
  );
});

describe('what breaks the rules', () => {
  const started = () => encode({ type: 'started', pid: 7 });
  const changed = (bytes: Buffer, change: (bytes: Buffer) => void) => {
    change(bytes);
    return bytes;
  };
  const payload = (type: number, bytes: Buffer) => {
    const header = Buffer.from(started().subarray(0, HEADER_BYTES));
    header.writeUInt16LE(type, 6);
    header.writeUInt32LE(bytes.length, 8);
    return Buffer.concat([header, bytes]);
  };
  const onePid = started().subarray(HEADER_BYTES);

  test.each([
    ['wrong magic', changed(started(), (b) => b.writeUInt32LE(1, 0)), 'ACG_PROTOCOL'],
    ['another version', changed(started(), (b) => b.writeUInt16LE(2, 4)), 'ACG_PROTOCOL_VERSION'],
    ['too long', changed(started(), (b) => b.writeUInt32LE(MAX_PAYLOAD + 1, 8)), 'ACG_PROTOCOL'],
    ['unknown type', changed(started(), (b) => b.writeUInt16LE(99, 6)), 'ACG_PROTOCOL'],
    ["the daemon's type", encode({ type: 'resumed' }), 'ACG_PROTOCOL'],
    ['no pid', payload(2, Buffer.alloc(0)), 'ACG_PROTOCOL'],
    ['two pids', payload(2, Buffer.concat([onePid, onePid])), 'ACG_PROTOCOL'],
    ['pid 0', encode({ type: 'started', pid: 0 }), 'ACG_PROTOCOL'],
    ['a field cut off', payload(2, onePid.subarray(0, 5)), 'ACG_PROTOCOL'],
    ['a field too long', changed(started(), (b) => b.writeUInt32LE(5, HEADER_BYTES + 4)), 'ACG_PROTOCOL'],
    ['not zero', changed(started(), (b) => b.writeUInt16LE(1, HEADER_BYTES + 2)), 'ACG_PROTOCOL'],
    [
      'a shell with a path',
      encode({
        type: 'open',
        shell: '../bash',
        args: [],
        argBytes: 0,
        cwd: '/',
        env: {},
        stdinIsTty: false,
        interactive: false,
      }),
      'ACG_PROTOCOL',
    ],
    [
      'a foreign variable',
      encode({
        type: 'open',
        shell: 'sh',
        args: [],
        argBytes: 0,
        cwd: '/',
        env: { LD_PRELOAD: 'x' } as never,
        stdinIsTty: false,
        interactive: false,
      }),
      'ACG_PROTOCOL',
    ],
  ])('%s', (_, bytes, code) => {
    expect(() => new FrameReader('shim').push(bytes)).toThrow(expect.objectContaining({ code }));
  });

  test('a stream that ends inside a message', () => {
    const reader = new FrameReader('shim');
    reader.push(started().subarray(0, 15));
    expect(() => reader.end()).toThrow(expect.objectContaining({ code: 'ACG_PROTOCOL' }));
  });

  test('unknown fields are skipped', () => {
    const unknown = Buffer.from(onePid);
    unknown.writeUInt16LE(999, 0);
    const messages = new FrameReader('shim').push(payload(2, Buffer.concat([unknown, onePid, unknown])));
    expect(messages).toEqual([{ type: 'started', pid: 7 }]);
  });

  test('a message that no peer would take is not made', () => {
    const text = 'x'.repeat(MAX_PAYLOAD);
    expect(() => encode({ type: 'closed', text })).toThrow(expect.objectContaining({ code: 'ACG_PROTOCOL' }));
    expect(() => encode({ type: 'closed', text: 'a\0b' })).toThrow(expect.objectContaining({ code: 'ACG_PROTOCOL' }));
  });
});
