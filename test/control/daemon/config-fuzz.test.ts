import { expect, test } from 'vitest';
import { mergeConfig, readConfigText } from '../../../src/control/daemon/config-file.ts';
import { AcgError, configJsonSchema, parseConfig } from '../../../src/model/index.ts';

/** A million: `AGENTCGROUP_FUZZ=1000000 npx vitest run --project unit test/control/daemon/config-fuzz.test.ts`. */
const inputs = Number(process.env.AGENTCGROUP_FUZZ ?? 5000);

let seed = 0x9e3779b9;
function random(n: number): number {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return (seed >>> 0) % n;
}
const pick = <T>(of: readonly T[]): T => of[random(of.length)]!;

interface Schema {
  properties?: Record<string, Schema>;
  default?: unknown;
}
const sections = (configJsonSchema() as Schema).properties!;
const values = [
  ...['1g', '512m', '10s', '0', '1', '64', 'enforce', 'observe', 'off', 'high', 'low', 'auto', 'true', 'null', '~', ''],
  ...[
    '-1',
    '1e999',
    '.inf',
    '.nan',
    '0x10',
    '99999999999999999999t',
    '[1, 2]',
    '{a: 1}',
    '*a',
    '&a 1g',
    '!!js/function x',
  ],
  ...['"$(touch X)"', "'x[$(id)]g'", '"\\u0000"', '|\n  text', '1g # why', '\ud800', '2026-11-25', '"', '['],
];

/** A setting as a person would write it, mostly right. */
function setting(): string {
  const [section, schema] = pick(Object.entries(sections));
  if (section === 'tenants')
    return `tenants: {${pick(['ci', 'a.b', '../x', '__proto__'])}: {budget: ${pick(values)}}}\n`;
  const keys = Object.entries(schema.properties ?? {});
  if (keys.length === 0) return `${section}: ${pick(values)}\n`;
  const [key, of] = pick(keys);
  const value = random(3) > 0 && of.default !== undefined ? JSON.stringify(of.default) : pick(values);
  return `${section}: {${key}: ${value}}\n`;
}

const marks = [
  ':',
  ' ',
  '\n',
  '-',
  '{',
  '}',
  '[',
  ']',
  ',',
  '&',
  '*',
  '!',
  '|',
  '>',
  '%',
  '@',
  '`',
  '"',
  "'",
  '#',
  '\t',
  '?',
];

function input(): string {
  switch (random(4)) {
    case 0:
      return Buffer.from(Array.from({ length: random(60) }, () => random(256))).toString(pick(['latin1', 'utf8']));
    case 1:
      return Array.from({ length: random(20) }, () => pick([...marks, ...values, 'mode', 'ladder'])).join('');
    case 2: {
      // a good text with one character of it changed
      const text = setting();
      const at = random(text.length);
      return text.slice(0, at) + pick(marks) + text.slice(at + 1);
    }
    default:
      return Array.from({ length: 1 + random(3) }, setting).join('');
  }
}

/** A configuration within its bounds, or ACG_CONFIG of one line that names the file. */
function verdict(text: string): 'valid' | 'refused' | 'wrong' {
  try {
    const config = parseConfig(mergeConfig({}, readConfigText(text, 'FILE')), 'FILE');
    const sizes = Object.values(config.tenants).map((t) => t.budget ?? 0);
    return sizes.every((n) => Number.isSafeInteger(n) && n >= 0) && config.ladder.freezeSlice > 0 ? 'valid' : 'wrong';
  } catch (error) {
    const named = error instanceof AcgError && error.code === 'ACG_CONFIG' && error.message.includes('FILE');
    return named && !error.message.includes('\n') ? 'refused' : 'wrong';
  }
}

test(
  `${inputs} files of any text are a configuration or ACG_CONFIG, nothing else`,
  () => {
    const count = { valid: 0, refused: 0, wrong: 0 };
    const wrong: string[] = [];
    for (let i = 0; i < inputs && wrong.length < 5; i++) {
      const text = input();
      const found = verdict(text);
      count[found]++;
      if (found === 'wrong') wrong.push(text);
    }
    expect(wrong).toEqual([]);
    // the generator reaches both sides
    expect(count.valid).toBeGreaterThan(inputs / 20);
    expect(count.refused).toBeGreaterThan(inputs / 20);
  },
  60_000 + inputs * 5,
);
