import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeFrame, encodeJob, FrameReader, parseExitReport } from '../../src/lab/frames.ts';

test('frames survive a stream cut anywhere', () => {
  const frame = fc.record({
    type: fc.constantFrom('R', 'O', 'E', 'X'),
    payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  });
  fc.assert(
    fc.property(fc.array(frame), fc.infiniteStream(fc.integer({ min: 1, max: 50 })), (frames, sizes) => {
      const stream = Buffer.concat(frames.map((f) => encodeFrame(f.type, f.payload)));
      const reader = new FrameReader();
      const got = [];
      for (let at = 0; at < stream.length; ) {
        const size = sizes.next().value;
        got.push(...reader.push(stream.subarray(at, at + size)));
        at += size;
      }
      expect(got).toEqual(frames);
    }),
  );
});

test('a length that the guest never sends is refused before its bytes are waited for', () => {
  expect(() => new FrameReader().push(Buffer.from([0x4f, 0xff, 0xff, 0xff, 0xff]))).toThrow(
    'a frame of 4294967295 bytes',
  );
});

test('every exit status and signal is read back; nothing else is', () => {
  for (let code = 0; code <= 255; code++)
    expect(parseExitReport(`exit ${code}`)).toEqual({ exitCode: code, signal: null });
  for (let signal = 1; signal <= 64; signal++)
    expect(parseExitReport(`signal ${signal}`)).toEqual({ exitCode: null, signal });
  const bad = ['', 'exit', 'exit 256', 'exit -1', 'exit 1 ', 'exit 1\n', 'signal 0', 'signal 65', 'stop 1'];
  for (const text of bad) expect(() => parseExitReport(text)).toThrow('not an exit report');
  fc.assert(
    fc.property(fc.string(), (text) => {
      fc.pre(!/^(exit|signal) \d+$/.test(text));
      expect(() => parseExitReport(text)).toThrow('not an exit report');
    }),
  );
});

test('a job is a list of NUL-terminated fields, whatever its strings hold', () => {
  const word = fc.string({ unit: 'binary', maxLength: 30 }).map((s) => s.replaceAll('\0', ''));
  fc.assert(
    fc.property(
      fc.array(word, { minLength: 1, maxLength: 10 }),
      fc.dictionary(word, word, { maxKeys: 10 }),
      word,
      (argv, env, cwd) => {
        const fields = encodeJob({ clockMs: 1234.5, argv, env, cwd }).toString().split('\0');
        const decoded = (s: string) => Buffer.from(s).toString(); // lone surrogates become U+FFFD
        expect(fields.splice(0, 5)).toEqual(['1235', decoded(cwd), '0', '0', String(argv.length)]);
        expect(fields.splice(0, argv.length)).toEqual(argv.map(decoded));
        expect(fields.shift()).toBe(String(Object.keys(env).length));
        expect(fields).toEqual([...Object.entries(env).map(([name, value]) => decoded(`${name}=${value}`)), '']);
      },
    ),
  );
});

test('a NUL in a job is refused: it would move every field behind it', () => {
  expect(() => encodeJob({ clockMs: 0, argv: ['a\0b'], env: {}, cwd: '/' })).toThrow('a NUL byte');
  expect(() => encodeJob({ clockMs: 0, argv: ['a'], env: { A: '\0' }, cwd: '/' })).toThrow('a NUL byte');
});
