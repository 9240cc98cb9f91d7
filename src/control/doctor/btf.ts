/**
 * Which types and functions a kernel knows, read from its BTF (Documentation/bpf/btf.rst): the presence of a struct such
 * as `memcg_bpf_ops` or of a kfunc is what decides a tier, not a version number.
 */

const MAGIC = 0xeb9f;
const HEADER_SIZE = 24;
const KIND_STRUCT = 4;
const KIND_FUNC = 12;

/** Bytes that follow the 12 of a type, by kind and number of members; kinds that are not listed have none. */
const tail: Record<number, (members: number) => number> = {
  1: () => 4, // INT
  3: () => 12, // ARRAY
  4: (n) => n * 12, // STRUCT
  5: (n) => n * 12, // UNION
  6: (n) => n * 8, // ENUM
  13: (n) => n * 8, // FUNC_PROTO
  14: () => 4, // VAR
  15: (n) => n * 12, // DATASEC
  17: () => 4, // DECL_TAG
  19: (n) => n * 12, // ENUM64
};
const KIND_LAST = 19;

/**
 * Which of the wanted structs and functions the BTF blob defines. undefined when it is not BTF as this reader knows it
 * (other magic, byte order or kinds, or cut short): then nothing can be said.
 */
export function findInBtf(
  blob: Buffer,
  wanted: { structs: readonly string[]; functions: readonly string[] },
): { structs: Set<string>; functions: Set<string> } | undefined {
  if (blob.length < HEADER_SIZE || blob.readUInt16LE(0) !== MAGIC) return undefined;
  const start = blob.readUInt32LE(4);
  const types = start + blob.readUInt32LE(8);
  const typesEnd = types + blob.readUInt32LE(12);
  const strings = start + blob.readUInt32LE(16);
  const stringsEnd = strings + blob.readUInt32LE(20);
  if (typesEnd > blob.length || stringsEnd > blob.length) return undefined;

  const structs = offsetsOf(blob.subarray(strings, stringsEnd), wanted.structs);
  const functions = offsetsOf(blob.subarray(strings, stringsEnd), wanted.functions);
  const found = { structs: new Set<string>(), functions: new Set<string>() };
  for (let at = types; at < typesEnd; ) {
    if (at + 12 > typesEnd) return undefined;
    const name = blob.readUInt32LE(at);
    const info = blob.readUInt32LE(at + 4);
    const kind = (info >>> 24) & 0x1f;
    if (kind === 0 || kind > KIND_LAST) return undefined;
    if (kind === KIND_STRUCT && structs.has(name)) found.structs.add(structs.get(name)!);
    if (kind === KIND_FUNC && functions.has(name)) found.functions.add(functions.get(name)!);
    at += 12 + (tail[kind]?.(info & 0xffff) ?? 0);
  }
  return found;
}

/** The offsets of names in the string section, where each stands between zero bytes and once only. */
function offsetsOf(strings: Buffer, names: readonly string[]): Map<number, string> {
  const offsets = new Map<number, string>();
  for (const name of names) {
    const at = strings.indexOf(`\0${name}\0`, 0, 'latin1');
    if (at >= 0) offsets.set(at + 1, name);
  }
  return offsets;
}
