import { AcgError } from '../../model/index.ts';
import { bpf, isBpfFailure } from './addon.ts';
import type { Descriptor } from './descriptor.ts';
import { type Codec, u32 } from './layout.ts';

/** Flags of an update (linux/bpf.h). */
const updateFlags = { any: 0, create: 1, replace: 2 } as const;

const failed = (what: string, cause: unknown): AcgError =>
  new AcgError('ACG_BPF_MAP', `${what}: ${isBpfFailure(cause) ? cause.message : String(cause)}`, { cause });

const encode = <T>(codec: Codec<T>, value: T): Uint8Array => {
  const to = new Uint8Array(codec.size);
  codec.write(new DataView(to.buffer), 0, value);
  return to;
};

/** What a map view needs to know; sizes are checked against the kernel's when it is made. */
interface MapShape<K, V> {
  name: string;
  map: Descriptor;
  key: Codec<K>;
  value: Codec<V>;
}

function checkSizes({ name, map, key, value }: MapShape<never, never>): number {
  const info = bpf().mapInfo(map.fd);
  if (info.keySize !== key.size || info.valueSize !== value.size)
    throw new AcgError(
      'ACG_BPF_LAYOUT',
      `map ${name}: keys of ${info.keySize} and values of ${info.valueSize} bytes, expected ${key.size} and ${value.size}`,
    );
  return info.maxEntries;
}

/** A typed view of a hash or array map. Throws ACG_BPF_MAP with errno's name: E2BIG (full), EPERM, ... */
export class MapView<K, V> {
  readonly #shape: MapShape<K, V>;
  readonly maxEntries: number;

  constructor(shape: MapShape<K, V>) {
    this.#shape = shape;
    this.maxEntries = checkSizes(shape as MapShape<never, never>);
  }

  get(key: K): V | undefined {
    const { name, map, key: keys, value } = this.#shape;
    try {
      const found = bpf().lookup(map.fd, encode(keys, key), value.size);
      return found && value.read(new DataView(found.buffer, found.byteOffset, found.byteLength), 0);
    } catch (cause) {
      throw failed(`${name}: look up`, cause);
    }
  }

  /** `create` fails with EEXIST when it is there, `replace` with ENOENT when it is not. */
  set(key: K, value: V, how: keyof typeof updateFlags = 'any'): void {
    const { name, map, key: keys, value: values } = this.#shape;
    try {
      bpf().update(map.fd, encode(keys, key), encode(values, value), updateFlags[how]);
    } catch (cause) {
      throw failed(`${name}: update`, cause);
    }
  }

  /** False: it was not there. */
  delete(key: K): boolean {
    const { name, map, key: keys } = this.#shape;
    try {
      return bpf().remove(map.fd, encode(keys, key));
    } catch (cause) {
      throw failed(`${name}: delete`, cause);
    }
  }

  /** All elements of a hash map, in a few system calls; what comes and goes meanwhile may be there or not. */
  entries(): [K, V][] {
    const { name, map, key, value } = this.#shape;
    try {
      const { keys, values, count } = bpf().batch(map.fd, key.size, value.size, this.maxEntries);
      const k = new DataView(keys.buffer, keys.byteOffset, keys.byteLength);
      const v = new DataView(values.buffer, values.byteOffset, values.byteLength);
      return Array.from({ length: count }, (_, i) => [key.read(k, i * key.size), value.read(v, i * value.size)]);
    } catch (cause) {
      throw failed(`${name}: list`, cause);
    }
  }
}

/** A per-CPU hash or array map, read only: one value for each possible CPU. */
export class PerCpuMapView<K, V> {
  readonly #shape: MapShape<K, V>;

  constructor(shape: MapShape<K, V>) {
    this.#shape = shape;
    checkSizes(shape as MapShape<never, never>);
  }

  get(key: K): V[] | undefined {
    const { name, map, key: keys, value } = this.#shape;
    const stride = Math.ceil(value.size / 8) * 8;
    const cpus = bpf().possibleCpus();
    try {
      const found = bpf().lookup(map.fd, encode(keys, key), stride * cpus);
      if (!found) return undefined;
      const view = new DataView(found.buffer, found.byteOffset, found.byteLength);
      return Array.from({ length: cpus }, (_, cpu) => value.read(view, cpu * stride));
    } catch (cause) {
      throw failed(`${name}: look up`, cause);
    }
  }

  keys(): K[] {
    const { map, key } = this.#shape;
    const all = bpf().keys(map.fd, key.size, bpf().mapInfo(map.fd).maxEntries * 2);
    const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
    const keys = new Map<string, K>();
    for (let at = 0; at < all.byteLength; at += key.size) {
      const one = key.read(view, at);
      keys.set(JSON.stringify(one), one);
    }
    return [...keys.values()];
  }
}

/** Records of numbers, added up field by field: what a per-CPU map of counters means. */
export function sum<T extends { [K in keyof T]: number }>(values: readonly T[]): T {
  const total = { ...values[0]! };
  for (const value of values.slice(1))
    for (const key of Object.keys(total) as (keyof T)[]) total[key] = (total[key] + value[key]) as T[keyof T];
  return total;
}

/** A map with one element, index 0: settings the programs read while they run. */
export class SettingsView<V> {
  readonly #map: MapView<number, V>;

  constructor(name: string, map: Descriptor, value: Codec<V>) {
    this.#map = new MapView({ name, map, key: u32, value });
  }

  get(): V {
    const value = this.#map.get(0);
    if (value === undefined) throw new AcgError('ACG_INTERNAL', 'an array map without its first element');
    return value;
  }

  set(value: V): void {
    this.#map.set(0, value);
  }
}
