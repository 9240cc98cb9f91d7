import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { leadingHint } from '../../../src/control/policy/hint.ts';
import { hintOf, hintRecord, parseHint } from '../../../src/control/policy/index.ts';

const MIB = 2 ** 20;

test("the paper's grammar", () => {
  expect(parseHint('memory:low').hint).toEqual({ memory: 256 * MIB });
  expect(parseHint('memory:medium').hint).toEqual({ memory: 1024 * MIB });
  expect(parseHint('memory:high').hint).toEqual({ memory: 'high' });
  expect(parseHint('memory:2g').hint).toEqual({ memory: 2048 * MIB });
  expect(parseHint('memory:1500m').hint).toEqual({ memory: 1500 * MIB });
});

test('the extension, in any order, spaces and case aside', () => {
  expect(parseHint('memory:2g,cpu:low,pids:64,duration:90s,io:low,priority:background')).toEqual({
    hint: { memory: 2048 * MIB, cpu: 'low', pids: 64, durationMs: 90_000, io: 'low', priority: 'background' },
    errors: [],
  });
  expect(parseHint(' Priority : background , MEMORY : 512M,, ').hint).toEqual({
    priority: 'background',
    memory: 512 * MIB,
  });
});

test.each([
  ['memory:x[$(touch X)]g', 'not a value for memory: "x[$(touch x)]g"'],
  ['memory:', 'not a value for memory: ""'],
  ['memory:0', 'not a value for memory: "0"'],
  ['memory:-1g', 'not a value for memory: "-1g"'],
  ['memory:99999999999999t', 'not a value for memory: "99999999999999t"'],
  ['gpu:1', 'not understood: "gpu:1"'],
  ['__proto__:1', 'not understood: "__proto__:1"'],
  ['memory', 'not understood: "memory"'],
  ['pids:0', 'not a value for pids: "0"'],
  ['pids:1e3', 'not a value for pids: "1e3"'],
  ['duration:soon', 'not a value for duration: "soon"'],
  ['priority:high', 'not a value for priority: "high"'],
  ['cpu:all\u001b[31m', 'not a value for cpu: "all [31m"'],
])('%j is listed and ignored', (text, error) => {
  expect(parseHint(text)).toEqual({ hint: {}, errors: [error] });
});

test('a bad part does not spoil the good ones; the first of two counts', () => {
  expect(parseHint('memory:1g,disk:9,memory:2g')).toEqual({
    hint: { memory: 1024 * MIB },
    errors: ['not understood: "disk:9"', 'said twice: "memory:2g"'],
  });
  expect(parseHint('x,'.repeat(200)).errors).toHaveLength(8);
  expect(parseHint('m'.repeat(2000)).errors).toEqual(['hint ignored: longer than 1024 characters']);
});

test('the hint among leading assignments', () => {
  const found: [string, string | undefined][] = [
    ['AGENT_RESOURCE_HINT="memory:high" pytest', 'memory:high'],
    ["AGENT_RESOURCE_HINT='memory:high' pytest", 'memory:high'],
    ['  CI=1 AGENT_RESOURCE_HINT=memory:1g,cpu:low npm test', 'memory:1g,cpu:low'],
    ['AGENT_RESOURCE_HINT=memory:"1g" npm test', 'memory:1g'],
    ['AGENT_RESOURCE_HINT=a AGENT_RESOURCE_HINT=b x', 'b'],
    ['AGENT_RESOURCE_HINT=memory:1g; npm test', 'memory:1g'],
    ['AGENT_RESOURCE_HINT=', ''],
    ['echo AGENT_RESOURCE_HINT=memory:1g', undefined],
    ['XAGENT_RESOURCE_HINT=memory:1g x', undefined],
    ['FOO=$(AGENT_RESOURCE_HINT=memory:1g x) y', undefined],
    ['A="unclosed AGENT_RESOURCE_HINT=memory:1g', undefined],
    ['', undefined],
  ];
  for (const [command, hint] of found) expect(leadingHint(command), command).toBe(hint);
});

test('the command says more than the environment, also inside what an agent wraps it in', () => {
  expect(hintOf({ environment: 'memory:1g', command: 'pytest' }).hint).toEqual({ memory: 1024 * MIB });
  expect(hintOf({ environment: 'memory:1g', command: 'AGENT_RESOURCE_HINT=memory:2g pytest' }).hint).toEqual({
    memory: 2048 * MIB,
  });
  const claude = `source /tmp/s.sh && shopt -u extglob && eval 'AGENT_RESOURCE_HINT="memory:2g" pytest -k '"'"'a b'"'"'' < /dev/null && pwd -P >| /tmp/cwd`;
  expect(hintOf({ command: claude }).hint).toEqual({ memory: 2048 * MIB });
  const gemini = 'shopt -s expand_aliases; ( trap "x" EXIT; AGENT_RESOURCE_HINT=memory:2g make ); exit $__code';
  expect(hintOf({ command: gemini }).hint).toEqual({ memory: 2048 * MIB });
  expect(hintOf({})).toEqual({ hint: {}, errors: [] });
});

test('nothing is ever evaluated', () => {
  const trap = join(tmpdir(), `acg-hint-${process.pid}`);
  for (const evil of [`memory:x[$(touch ${trap})]g`, `memory:\`touch ${trap}\``, `memory:1g;touch ${trap}`]) {
    parseHint(evil);
    hintOf({ environment: evil, command: `AGENT_RESOURCE_HINT="${evil}" true` });
  }
  const made = existsSync(trap);
  rmSync(trap, { force: true });
  expect(made).toBe(false);
});

/** What every answer looks like, whatever was asked. Cheap, for it runs a million times. */
function sound(text: string): boolean {
  const { hint, errors } = hintOf({ environment: text, command: text });
  for (const [key, value] of Object.entries(hintRecord(hint))) {
    if (
      typeof value === 'number'
        ? !(Number.isSafeInteger(value) && value > 0)
        : !/^(low|medium|high|background|normal)$/.test(value)
    )
      return false;
    if (!['memory', 'cpu', 'io', 'pids', 'durationMs', 'priority'].includes(key)) return false;
  }
  return errors.length <= 8 && !errors.some((e) => /\p{Cc}/u.test(e) || e.length > 120);
}

test('total over a million inputs: pieces of the grammar, random bytes, any string', () => {
  // a small generator of our own: a million fast-check values would take minutes
  let seed = 0x2545f491;
  const random = (n: number) => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) % n;
  };
  const pieces = [
    'memory',
    'cpu',
    'io',
    'pids',
    'duration',
    'priority',
    ':',
    ':',
    ',',
    ',',
    ' ',
    '=',
    '"',
    "'",
    '$(',
    ')',
    '`',
    '\\',
    '\0',
    '\x1b',
    'low',
    'high',
    'background',
    '1',
    '64',
    '2g',
    '90s',
    '.',
    '-',
    'é',
    '\ud800',
    'AGENT_RESOURCE_HINT=',
    'x',
    ';',
    '\n',
    "&& eval '",
  ];
  const bytes = new Uint8Array(24);
  const wrong: string[] = [];
  for (let i = 0; i < 1_000_000 && wrong.length === 0; i++) {
    let text = '';
    if (i % 4 === 0) {
      for (let k = 0; k < bytes.length; k++) bytes[k] = random(256);
      text = Buffer.from(bytes.buffer, 0, random(25)).toString(i % 8 === 0 ? 'latin1' : 'utf8');
    } else for (let k = random(9); k >= 0; k--) text += pieces[random(pieces.length)];
    if (!sound(text)) wrong.push(text);
  }
  expect(wrong).toEqual([]);
  fc.assert(fc.property(fc.string({ unit: 'binary' }), sound), { numRuns: 5000 });
}, 120_000);

test('a long hostile text costs no more than a short one', () => {
  for (const text of [
    '"'.repeat(60_000),
    'A='.repeat(30_000),
    "&& eval '".repeat(7000),
    `A="${'x '.repeat(30_000)}`,
    ','.repeat(65_000),
  ])
    expect(sound(text), text.slice(0, 10)).toBe(true);
});
