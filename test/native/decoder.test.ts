import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import * as protocol from '../../src/control/intercept/index.ts';
import { scratchDirectory } from './scratch.ts';

const root = resolve(import.meta.dirname, '../..');
const directory = scratchDirectory();
const program = join(directory.path, 'decoder');
const compiled = spawnSync('gcc', [
  ...['-std=c11', '-D_GNU_SOURCE', '-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
  ...[
    `-I${join(root, 'native')}`,
    '-o',
    program,
    join(root, 'test/native/decoder.c'),
    join(root, 'native/shim/protocol.c'),
  ],
]);
const missing = compiled.status === 0 ? '' : ' (no gcc with sanitizers)';

const run = (args: string[], input?: Buffer) =>
  spawnSync(program, args, { input, encoding: 'utf8', timeout: 60_000, maxBuffer: 2 ** 26 });

afterAll(() => directory[Symbol.dispose]());

describe.skipIf(missing)(`the shim's decoder${missing}`, () => {
  test.each([1, 2, 3, Date.now()])('any bytes, no error under ASan and UBSan (seed %i)', (seed) => {
    const { status, stdout, stderr } = run(['fuzz', String(seed), '100000']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const [taken, refused, waiting] = stdout.split(' ').map(Number);
    expect(Math.min(taken!, refused!, waiting!)).toBeGreaterThan(100);
  });

  test('what the daemon encodes, the shim decodes', () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 }).filter((s) => !s.includes('\0') && s.isWellFormed());
    const message: fc.Arbitrary<protocol.DaemonMessage> = fc.oneof(
      fc.record(
        {
          type: fc.constant('opened' as const),
          verdict: fc.constantFrom('contained' as const, 'plain' as const, 'refused' as const),
          call: fc.stringMatching(/^[a-z0-9-]{0,40}$/),
          oomScoreAdj: fc.integer({ min: -1000, max: 1000 }),
          schedExt: fc.constant(true),
          text,
        },
        { requiredKeys: ['type', 'verdict', 'call'] },
      ),
      fc.record({ type: fc.constant('closed' as const), text }),
      fc.record({ type: fc.constantFrom('resumed' as const, 'queued' as const) }),
      fc.record({ type: fc.constant('error' as const), code: fc.constantFrom('ACG_LIMIT', 'ACG_PROTOCOL'), text }),
    );
    const messages = fc.sample(message, 1000);
    const hex = (name: string, value: string | undefined) =>
      value === undefined ? '' : ` ${name}=${Buffer.from(value).toString('hex')}`;
    const expected = messages.map((m) => {
      const number = protocol.messageType[m.type];
      if (m.type === 'opened')
        return `${number} verdict=${protocol.verdict[m.verdict]} policy=${m.schedExt ? 1 : 0}${
          m.oomScoreAdj === undefined ? '' : ` oom=${m.oomScoreAdj}`
        }${hex('call', m.call)}${hex('text', m.text)}`;
      if (m.type === 'closed') return `${number}${hex('text', m.text)}`;
      if (m.type === 'error') return `${number}${hex('text', m.text)}${hex('code', m.code)}`;
      return `${number}`;
    });
    const { status, stdout, stderr } = run(['print'], Buffer.concat(messages.map(protocol.encode)));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.trimEnd().split('\n')).toEqual(expected);
  });
});

describe('protocol.h and protocol.ts say the same', () => {
  const header = readFileSync(join(root, 'native/shim/protocol.h'), 'utf8');
  const numbers = new Map(
    [...header.matchAll(/ACG_([A-Z0-9_]+)(?: = | )\(?((?:0x)?[0-9a-f]+)u?(?: \* (\d+)u)?/g)].map(
      ([, name, value, times]) => [name!, Number(value) * Number(times ?? 1)],
    ),
  );

  test('constants', () => {
    const { MAGIC, VERSION, HEADER_BYTES, FIELD_HEADER_BYTES, MAX_PAYLOAD, MAX_ARG_BYTES, MAX_ARGS, MAX_TEXT } =
      protocol;
    const constants = {
      MAGIC,
      VERSION,
      HEADER_BYTES,
      FIELD_HEADER_BYTES,
      MAX_PAYLOAD,
      MAX_ARG_BYTES,
      MAX_ARGS,
      MAX_TEXT,
    };
    for (const [name, value] of Object.entries(constants)) expect([name, numbers.get(name)]).toEqual([name, value]);
  });

  test('types, tags and verdicts', () => {
    for (const [name, value] of Object.entries(protocol.messageType))
      expect([name, numbers.get(name.toUpperCase())]).toEqual([name, value]);
    for (const [name, value] of Object.entries(protocol.tag))
      expect([name, numbers.get(`TAG_${name}`)]).toEqual([name, value]);
    for (const [name, value] of Object.entries(protocol.verdict))
      expect([name, numbers.get(name.toUpperCase())]).toEqual([name, value]);
    expect([...header.matchAll(/ACG_TAG_/g)]).toHaveLength(Object.keys(protocol.tag).length);
  });

  test('the variables that are shared', () => {
    const source = readFileSync(join(root, 'native/shim/open.c'), 'utf8');
    const list = source.slice(source.indexOf('shared[] = {'), source.indexOf('};', source.indexOf('shared[] = {')));
    expect([...list.matchAll(/"(\w+)"/g)].map(([, name]) => name)).toEqual(protocol.sharedVariables);
  });
});
