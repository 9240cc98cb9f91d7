import { AcgError } from '../../model/index.ts';
import type { Layout } from './addon.ts';

/** How one C type is read and written. `size` is also its alignment for the integers. */
export interface Codec<T> {
  readonly size: number;
  readonly align: number;
  read(view: DataView, at: number): T;
  write(view: DataView, at: number, value: T): void;
}

/** Little and big endian machines alike: the kernel is the machine we run on. */
export const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export const u32: Codec<number> = {
  size: 4,
  align: 4,
  read: (view, at) => view.getUint32(at, littleEndian),
  write: (view, at, value) => view.setUint32(at, value, littleEndian),
};

/** Sizes, times and counts: exact up to 2^53, above that rounded as a double is. */
export const u64: Codec<number> = {
  size: 8,
  align: 8,
  read: (view, at) => Number(view.getBigUint64(at, littleEndian)),
  write: (view, at, value) => view.setBigUint64(at, BigInt(value), littleEndian),
};

export const s64: Codec<number> = {
  size: 8,
  align: 8,
  read: (view, at) => Number(view.getBigInt64(at, littleEndian)),
  write: (view, at, value) => view.setBigInt64(at, BigInt(value), littleEndian),
};

/** A C array of u64: histograms, counters by reason. */
export const u64s = (length: number): Codec<number[]> => ({
  size: 8 * length,
  align: 8,
  read: (view, at) => Array.from({ length }, (_, i) => u64.read(view, at + 8 * i)),
  write(view, at, value) {
    for (let i = 0; i < length; i++) u64.write(view, at + 8 * i, value[i] ?? 0);
  },
});

/** Bits that must all survive: packed words, masks. */
export const bits64: Codec<bigint> = {
  size: 8,
  align: 8,
  read: (view, at) => view.getBigUint64(at, littleEndian),
  write: (view, at, value) => view.setBigUint64(at, value, littleEndian),
};

/** A cgroup id. Throws rather than name another cgroup by rounding (it would take 2^21 reuses of one inode to get there). */
export const id: Codec<number> = {
  ...u64,
  read(view, at) {
    const value = view.getBigUint64(at, littleEndian);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new AcgError('ACG_INTERNAL', `cgroup id ${value} above 2^53`);
    return Number(value);
  },
};

/** A NUL-padded string, as a task's comm. */
export const text = (size: number): Codec<string> => ({
  size,
  align: 1,
  read(view, at) {
    const bytes = new Uint8Array(view.buffer, view.byteOffset + at, size);
    const end = bytes.indexOf(0);
    return Buffer.from(bytes.subarray(0, end < 0 ? size : end)).toString('utf8');
  },
  write(view, at, value) {
    const bytes = new Uint8Array(view.buffer, view.byteOffset + at, size).fill(0);
    Buffer.from(value, 'utf8').copy(bytes, 0, 0, size - 1);
  },
});

/** Bytes whose used length another field tells; in the last field of an event there may be fewer than `size`. */
export const bytes = (size: number): Codec<Uint8Array> => ({
  size,
  align: 1,
  read: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, Math.min(size, view.byteLength - at)),
  write: (view, at, value) => new Uint8Array(view.buffer, view.byteOffset + at, size).set(value.subarray(0, size)),
});

type Values<F extends Record<string, Codec<unknown>>> = { [K in keyof F]: F[K] extends Codec<infer T> ? T : never };

/** What two sides must agree on. */
export interface Described {
  readonly name: string;
  readonly layout: Layout;
}

/** A C structure: its name there, its fields in order. */
export interface Struct<T> extends Codec<T>, Described {
  decode(bytes: Uint8Array): T;
  encode(value: T): Uint8Array;
}

export type ValueOf<S> = S extends Codec<infer T> ? T : never;

const cName = (key: string) => key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);

/**
 * Describes a structure of bpf/agentcgroup.h: `timeNs` here is `time_ns` there, fields in the same order. The header's rule
 * (no implicit padding) is checked here, its truth by `checkLayouts` against the object's BTF.
 */
export function struct<F extends Record<string, Codec<unknown>>>(name: string, fields: F): Struct<Values<F>> {
  const placed: { key: string; codec: Codec<unknown>; offset: number }[] = [];
  let size = 0;
  let align = 1;
  for (const [key, codec] of Object.entries(fields)) {
    if (size % codec.align !== 0) throw new AcgError('ACG_INTERNAL', `struct ${name}: padding before ${cName(key)}`);
    placed.push({ key, codec, offset: size });
    size += codec.size;
    align = Math.max(align, codec.align);
  }
  if (size % align !== 0) throw new AcgError('ACG_INTERNAL', `struct ${name}: padding at its end`);
  // per event of the kernel: without a list of pairs in between
  const read = (view: DataView, at: number) => {
    const value: Record<string, unknown> = {};
    for (const { key, codec, offset } of placed) value[key] = codec.read(view, at + offset);
    return value as Values<F>;
  };
  const write = (view: DataView, at: number, value: Values<F>) => {
    for (const { key, codec, offset } of placed) codec.write(view, at + offset, value[key]);
  };
  return {
    name,
    size,
    align,
    layout: {
      size,
      fields: placed.map(({ key, codec, offset }) => ({ name: cName(key), offset, size: codec.size })),
    },
    read,
    write,
    decode: (from) => read(new DataView(from.buffer, from.byteOffset, from.byteLength), 0),
    encode(value) {
      const to = new Uint8Array(size);
      write(new DataView(to.buffer), 0, value);
      return to;
    },
  };
}

/**
 * Compares our structures with those of the object they travel to and from. `missing` structures are an error as well: a
 * structure that the object does not know cannot be checked. Throws ACG_BPF_LAYOUT naming the first field that differs.
 */
export function checkLayouts(object: string, ours: readonly Described[], theirs: Record<string, Layout>): void {
  const wrong = (what: string) => new AcgError('ACG_BPF_LAYOUT', `${object}: ${what}`);
  for (const { name, layout } of ours) {
    const there = theirs[name];
    if (!there) throw wrong(`struct ${name} is not in the object`);
    for (const [i, field] of layout.fields.entries()) {
      const other = there.fields[i];
      if (other?.name !== field.name || other.offset !== field.offset || other.size !== field.size) {
        const found = other ? `${other.name}, ${other.size} bytes at ${other.offset}` : 'nothing';
        throw wrong(
          `struct ${name}: expected ${field.name}, ${field.size} bytes at ${field.offset}; the object has ${found}`,
        );
      }
    }
    const more = there.fields[layout.fields.length];
    if (more) throw wrong(`struct ${name}: the object has ${more.name} at ${more.offset} as well`);
    if (there.size !== layout.size) throw wrong(`struct ${name}: ${layout.size} bytes, the object has ${there.size}`);
  }
}
