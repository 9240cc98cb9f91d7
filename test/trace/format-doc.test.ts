import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { TraceRecord } from '../../src/model/index.ts';

const page = readFileSync(new URL('../../docs/trace-format.md', import.meta.url), 'utf8');

interface Shape {
  type?: string | string[];
  const?: unknown;
  enum?: string[];
  anyOf?: Shape[];
  items?: Shape;
  additionalProperties?: Shape;
}

/** The words the page uses for a schema type. */
function words(s: Shape): string {
  if (s.const !== undefined) return `\`${s.const}\``;
  if (s.enum) return s.enum.map((v) => `\`${v}\``).join(', ');
  if (s.anyOf) return s.anyOf.map(words).join(' or ');
  if (Array.isArray(s.type)) return s.type.join(' or ');
  if (s.type === 'array') return s.items?.type === 'string' ? 'strings' : 'list of `{t, text}`';
  const inner = s.type === 'object' ? s.additionalProperties?.type : undefined;
  return inner === 'string' || inner === 'number' ? `object of ${inner}s` : (s.type as string);
}

test.each(TraceRecord.options.map((o) => [o.shape.type.value as string, o] as const))(
  'the page describes every field of %s, in order, with type and unit',
  (type, option) => {
    const schema = z.toJSONSchema(option) as { properties: Record<string, Shape>; required: string[] };
    const expected = Object.entries(schema.properties).map(
      ([field, s]) => `${field}: ${words(s)}${schema.required.includes(field) ? ', required' : ''}`,
    );
    const section = page.split(`\n## ${type}\n`)[1]!.split('\n## ')[0]!;
    const rows = section
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.split('|').map((cell) => cell.trim()) as [string, string, string, string]);
    expect(rows.map(([, field, t]) => `${field.replaceAll('`', '')}: ${t}`)).toEqual(expected);
    for (const [, quoted, , unit] of rows) {
      const field = quoted.replaceAll('`', '');
      const named = { Bytes: 'bytes', Usec: 'µs', Ms: 'ms', Percent: '%' };
      for (const [suffix, word] of Object.entries(named)) if (field.endsWith(suffix)) expect(unit, field).toBe(word);
    }
  },
);
