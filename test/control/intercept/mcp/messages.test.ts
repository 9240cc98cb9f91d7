import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readMessages, watchLines } from '../../../../src/control/intercept/mcp/index.ts';

async function pass(chunks: Buffer[]): Promise<{ out: Buffer; lines: string[] }> {
  const lines: string[] = [];
  const out: Buffer[] = [];
  for await (const part of Readable.from(chunks).pipe(watchLines((line) => void lines.push(line)))) out.push(part);
  return { out: Buffer.concat(out), lines };
}

describe('what passes between an agent and an MCP server', () => {
  test('bytes pass exactly as they are, whatever they are and however they are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 20 })), fc.array(fc.constant(10)), async (parts, ends) => {
        const chunks = parts.flatMap((part, i) => [Buffer.from(part), Buffer.from(ends[i] === undefined ? [] : [10])]);
        const whole = Buffer.concat(chunks);
        const { out, lines } = await pass(chunks.filter((chunk) => chunk.length > 0));
        expect(out).toEqual(whole);
        expect(lines).toEqual(
          whole
            .toString('latin1')
            .split('\n')
            .filter(Boolean)
            .map((line) => Buffer.from(line, 'latin1').toString()),
        );
      }),
    );
  });

  test('a line too long to read passes too', async () => {
    const long = Buffer.alloc(9 * 2 ** 20, 'a');
    const { out, lines } = await pass([
      long.subarray(0, 5_000_000),
      long.subarray(5_000_000),
      Buffer.from('\nshort\n'),
    ]);
    expect(out.length).toBe(long.length + 7);
    expect(lines).toEqual(['short']);
  });

  test.each([
    [
      'client',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find"}}',
      [{ kind: 'call', id: '1', tool: 'find' }],
    ],
    [
      'client',
      '{"id":"1","method":"tools/call","params":{"name":"find"}}',
      [{ kind: 'call', id: '"1"', tool: 'find' }],
    ],
    ['client', '{"id":1,"method":"tools/list"}', []],
    ['client', '{"method":"tools/call","params":{"name":"no id"}}', []],
    ['client', '{"id":1,"result":{}}', []],
    ['client', '{"method":"notifications/cancelled","params":{"requestId":7}}', [{ kind: 'cancel', id: '7' }]],
    ['server', '{"id":1,"result":{"content":[]}}', [{ kind: 'answer', id: '1', isError: false }]],
    ['server', '{"id":1,"result":{"isError":true}}', [{ kind: 'answer', id: '1', isError: true }]],
    ['server', '{"id":1,"error":{"code":-1}}', [{ kind: 'answer', id: '1', isError: true }]],
    ['server', '{"id":1,"method":"sampling/createMessage"}', []],
    [
      'server',
      '[{"id":1,"result":{}},{"id":2,"result":{}}]',
      [
        { kind: 'answer', id: '1', isError: false },
        { kind: 'answer', id: '2', isError: false },
      ],
    ],
    ['server', 'Listening on port 80', []],
    ['server', 'null', []],
  ] as const)('%s: %s', (from, line, events) => expect(readMessages(line, from)).toEqual(events));

  test('reads anything without an error', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.json()),
        fc.constantFrom('client' as const, 'server' as const),
        (line, from) => {
          expect(Array.isArray(readMessages(line, from))).toBe(true);
        },
      ),
    );
  });
});
