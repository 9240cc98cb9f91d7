import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findInBtf } from '../../../src/control/doctor/btf.ts';

type Type = { kind: number; name: string; members?: number };
const tails: Record<number, (n: number) => number> = {
  1: () => 4,
  3: () => 12,
  4: (n) => 12 * n,
  5: (n) => 12 * n,
  6: (n) => 8 * n,
  13: (n) => 8 * n,
  14: () => 4,
  15: (n) => 12 * n,
  17: () => 4,
  19: (n) => 12 * n,
};

/** A BTF blob by the book (Documentation/bpf/btf.rst), written independently of the reader. */
function btf(types: Type[]): Buffer {
  let strings = '\0';
  const records = types.map(({ kind, name, members = 0 }) => {
    const record = Buffer.alloc(12 + (tails[kind]?.(members) ?? 0));
    record.writeUInt32LE(name === '' ? 0 : strings.length, 0);
    record.writeUInt32LE(((kind << 24) | members) >>> 0, 4);
    if (name !== '') strings += `${name}\0`;
    return record;
  });
  const body = Buffer.concat(records);
  const header = Buffer.alloc(24);
  header.writeUInt16LE(0xeb9f, 0);
  header.writeUInt8(1, 2);
  header.writeUInt32LE(24, 4);
  header.writeUInt32LE(0, 8);
  header.writeUInt32LE(body.length, 12);
  header.writeUInt32LE(body.length, 16);
  header.writeUInt32LE(strings.length, 20);
  return Buffer.concat([header, body, Buffer.from(strings, 'latin1')]);
}

const wanted = { structs: ['memcg_bpf_ops'], functions: ['charge'] };
const filler: Type[] = Array.from({ length: 19 }, (_, i) => ({ kind: i + 1, name: `t${i}`, members: i % 4 }));

test('structs and functions by name and kind, among every other kind of type', () => {
  const found = findInBtf(btf([...filler, { kind: 4, name: 'memcg_bpf_ops', members: 3 }, ...filler]), wanted);
  expect(found).toEqual({ structs: new Set(['memcg_bpf_ops']), functions: new Set() });
  expect(findInBtf(btf([...filler, { kind: 12, name: 'charge' }]), wanted)?.functions).toEqual(new Set(['charge']));
});

test('a name of another kind, or a part of a longer name, is no match', () => {
  const blob = btf([
    { kind: 8, name: 'memcg_bpf_ops' },
    { kind: 12, name: 'charge_all' },
    { kind: 12, name: 'recharge' },
  ]);
  expect(findInBtf(blob, wanted)).toEqual({ structs: new Set(), functions: new Set() });
});

test('whatever the bytes: a result or undefined, never an exception', () => {
  const real = btf([...filler, { kind: 4, name: 'memcg_bpf_ops', members: 2 }]);
  expect(findInBtf(Buffer.alloc(0), wanted)).toBeUndefined();
  expect(findInBtf(Buffer.from('no BTF at all, but longer than a header'), wanted)).toBeUndefined();
  fc.assert(
    fc.property(
      fc.nat({ max: real.length }),
      fc.nat({ max: real.length - 1 }),
      fc.nat({ max: 255 }),
      (end, at, byte) => {
        const broken = Buffer.from(real);
        broken[at] = byte;
        const found = findInBtf(broken.subarray(0, end), wanted);
        expect(found === undefined || found.structs instanceof Set).toBe(true);
      },
    ),
  );
});

const own = '/sys/kernel/btf/vmlinux';
test.skipIf(!existsSync(own))('the BTF of the running kernel', () => {
  const found = findInBtf(readFileSync(own), {
    structs: ['task_struct', 'no_such_struct'],
    functions: ['vfs_read', 'no_such_function'],
  });
  expect(found).toEqual({ structs: new Set(['task_struct']), functions: new Set(['vfs_read']) });
});
