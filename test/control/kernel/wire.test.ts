import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import * as wire from '../../../src/control/kernel/wire.ts';
import { decoders } from '../../../src/control/kernel/wire-events.ts';

const header = readFileSync(resolve(import.meta.dirname, '../../../bpf/agentcgroup.h'), 'utf8');
const enumOf = (name: string) => {
  const body = new RegExp(`enum ${name} \\{([^}]*)\\}`).exec(header)![1]!;
  return Object.fromEntries([...body.matchAll(/(\w+) = (\d+)/g)].map((m) => [m[1]!, Number(m[2])]));
};

test('the wire version is the header’s', () => {
  expect(header).toContain(`#define ACG_WIRE_VERSION ${wire.WIRE_VERSION}\n`);
});

test('kinds have the numbers of enum acg_kind', () => {
  const numbers = enumOf('acg_kind');
  expect(wire.kinds.slice(1).map((kind) => [`ACG_KIND_${kind.toUpperCase()}`, wire.kinds.indexOf(kind)])).toEqual(
    Object.entries(numbers),
  );
});

test('every event type has a decoder of its name', () => {
  const { ACG_EVENT_TYPES: types, ...numbers } = enumOf('acg_event_type');
  for (const [name, number] of Object.entries(numbers)) {
    expect(decoders[number]?.type, name).toBe(name.replace('ACG_EVENT_', '').toLowerCase());
    expect(number).toBeLessThan(types!);
  }
});

test('every structure of the header is described, fields in the same order', () => {
  const described = Object.values(wire).filter(
    (value): value is typeof wire.AcgCgroup => typeof value === 'object' && 'layout' in value,
  );
  const structs = [...header.matchAll(/^struct (\w+) \{\n([\s\S]*?)^\};/gm)];
  expect(structs.length).toBeGreaterThan(8);
  for (const [, name, body] of structs) {
    const fields = [...body!.replace(/\/\*[\s\S]*?\*\//g, '').matchAll(/(\w+)(?:\[\w+\])?;/g)].map((m) => m[1]);
    const ours = described.find((d) => d.name === name);
    expect(
      ours?.layout.fields.map((f) => f.name),
      `struct ${name}`,
    ).toEqual(fields);
  }
});
