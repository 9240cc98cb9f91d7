import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Layout } from '../../../src/control/kernel/addon.ts';
import { bits64, bytes, checkLayouts, id, s64, struct, text, u32, u64 } from '../../../src/control/kernel/layout.ts';

const Pair = struct('acg_pair', { firstWord: u32, other: u32, longOne: u64 });

describe('struct', () => {
  test('places fields as C does, under their C names', () => {
    expect(Pair.layout).toEqual({
      size: 16,
      fields: [
        { name: 'first_word', offset: 0, size: 4 },
        { name: 'other', offset: 4, size: 4 },
        { name: 'long_one', offset: 8, size: 8 },
      ],
    });
  });

  test('nests', () => {
    const Outer = struct('acg_outer', { head: Pair, last: u64 });
    const value = { head: { firstWord: 1, other: 2, longOne: 3 }, last: 4 };
    expect(Outer.size).toBe(24);
    expect(Outer.decode(Outer.encode(value))).toEqual(value);
  });

  test('refuses implicit padding, inside and at the end', () => {
    expect(() => struct('acg_hole', { a: u32, b: u64 })).toThrow('padding before b');
    expect(() => struct('acg_tail', { a: u64, b: u32 })).toThrow('padding at its end');
  });

  test('what is written is read back', () => {
    const All = struct('acg_all', { a: u32, b: u32, c: u64, d: s64, e: bits64, f: id, g: text(16) });
    fc.assert(
      fc.property(
        fc.record({
          a: fc.nat(),
          b: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
          c: fc.maxSafeNat(),
          d: fc.maxSafeInteger(),
          e: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
          f: fc.maxSafeNat(),
          g: fc.stringMatching(/^[a-z/]{0,15}$/),
        }),
        (value) => {
          expect(All.decode(All.encode(value))).toEqual(value);
        },
      ),
    );
  });

  test('a text that is too long keeps its terminating zero', () => {
    const Named = struct('acg_named', { comm: text(8) });
    expect(Named.decode(Named.encode({ comm: 'longer than that' })).comm).toBe('longer ');
  });

  test('a cgroup id beyond 2^53 is an error, not another cgroup', () => {
    const One = struct('acg_one', { cgroup: id });
    const Raw = struct('acg_one', { cgroup: bits64 });
    expect(() => One.decode(Raw.encode({ cgroup: 2n ** 53n + 1n }))).toThrow('above 2^53');
  });

  test('the last bytes of an event may be missing', () => {
    const Cut = struct('acg_cut', { length: u64, rest: bytes(16) });
    expect(Cut.decode(new Uint8Array(12)).rest).toHaveLength(4);
  });
});

describe('checkLayouts', () => {
  const there = (change: (layout: Layout) => void): Record<string, Layout> => {
    const layout = structuredClone(Pair.layout);
    change(layout);
    return { acg_pair: layout };
  };

  test('is content with the same', () => {
    expect(() =>
      checkLayouts(
        'x.bpf.o',
        [Pair],
        there(() => {}),
      ),
    ).not.toThrow();
  });

  test.each([
    [
      'another offset',
      (l: Layout) => (l.fields[2]!.offset = 12),
      'expected long_one, 8 bytes at 8; the object has long_one, 8 bytes at 12',
    ],
    [
      'another name',
      (l: Layout) => (l.fields[1]!.name = 'others'),
      'expected other, 4 bytes at 4; the object has others',
    ],
    [
      'another width',
      (l: Layout) => (l.fields[0]!.size = 2),
      'expected first_word, 4 bytes at 0; the object has first_word, 2',
    ],
    ['a field less', (l: Layout) => l.fields.pop(), 'the object has nothing'],
    ['a field more', (l: Layout) => l.fields.push({ name: 'new', offset: 16, size: 8 }), 'has new at 16 as well'],
    ['another size', (l: Layout) => (l.size = 24), '16 bytes, the object has 24'],
  ])('%s is ACG_BPF_LAYOUT and says where', (_, change, words) => {
    expect(() => checkLayouts('x.bpf.o', [Pair], there(change))).toThrow(
      expect.objectContaining({ code: 'ACG_BPF_LAYOUT', message: expect.stringContaining(words) }),
    );
  });

  test('a structure the object does not have cannot be trusted', () => {
    expect(() => checkLayouts('x.bpf.o', [Pair], {})).toThrow('struct acg_pair is not in the object');
  });
});
