import { AcgError } from '../../model/index.ts';
import { FIELD_HEADER_BYTES, tag } from './protocol.ts';

type TagName = keyof typeof tag;

const names = new Map<number, TagName>(Object.entries(tag).map(([name, value]) => [value, name as TagName]));
const lists = new Set<TagName>(['ARG', 'ENV']);
const longestCount = 4096;

function broken(detail: string): AcgError {
  return new AcgError('ACG_PROTOCOL', detail);
}

/** The fields of one payload, each checked when it is asked for. All that is wrong is ACG_PROTOCOL. */
export class Fields {
  readonly #values = new Map<TagName, Buffer[]>();

  constructor(payload: Buffer) {
    let at = 0;
    while (at < payload.length) {
      if (payload.length - at < FIELD_HEADER_BYTES) throw broken('a field is cut off');
      const name = names.get(payload.readUInt16LE(at));
      if (payload.readUInt16LE(at + 2) !== 0) throw broken('a reserved part of a field is not zero');
      const end = at + FIELD_HEADER_BYTES + payload.readUInt32LE(at + 4);
      if (end > payload.length) throw broken('a field is longer than its message');
      if (name) this.#add(name, payload.subarray(at + FIELD_HEADER_BYTES, end));
      at = end;
    }
  }

  #add(name: TagName, value: Buffer): void {
    const values = this.#values.get(name);
    if (!values) this.#values.set(name, [value]);
    else if (!lists.has(name)) throw broken(`${name} is given twice`);
    else if (values.push(value) > longestCount) throw broken(`more than ${longestCount} of ${name}`);
  }

  has(name: TagName): boolean {
    return this.#values.has(name);
  }

  #one(name: TagName, bytes?: number): Buffer {
    const value = this.#values.get(name)?.[0];
    if (!value) throw broken(`${name} is missing`);
    if (bytes !== undefined && value.length !== bytes) throw broken(`${name} has ${value.length} bytes, not ${bytes}`);
    return value;
  }

  u32(name: TagName): number {
    return this.#one(name, 4).readUInt32LE();
  }

  i32(name: TagName): number {
    return this.#one(name, 4).readInt32LE();
  }

  /** A u64 that a JavaScript number holds exactly. */
  u64(name: TagName): number {
    const value = this.#one(name, 8).readBigUInt64LE();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw broken(`${name} is too large`);
    return Number(value);
  }

  text(name: TagName, longest: number): string {
    return this.#checked(name, this.#one(name), longest);
  }

  texts(name: TagName, longest: number): string[] {
    return (this.#values.get(name) ?? []).map((value) => this.#checked(name, value, longest));
  }

  #checked(name: TagName, value: Buffer, longest: number): string {
    if (value.length > longest) throw broken(`${name} is longer than ${longest} bytes`);
    if (value.includes(0)) throw broken(`${name} contains a NUL character`);
    return value.toString('utf8');
  }
}
