import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AcgError } from '../../model/index.ts';
import { type BpfObject, bpf } from './addon.ts';
import { Descriptor } from './descriptor.ts';
import { bits64, checkLayouts, littleEndian } from './layout.ts';
import { makePinDirectory, openPin, pin, sharedDirectory } from './pins.ts';
import { loadError } from './program.ts';
import type { Hook, LoadOptions, ProgramSpec } from './spec.ts';

/** BPF_MAP_TYPE_STRUCT_OPS */
export const STRUCT_OPS = 26;

/** Maps that every program shares; the first to come makes them. */
const shared = ['acg_cgroups', 'acg_events', 'acg_lost'];

const objectDirectory = resolve(import.meta.dirname, '../../../prebuilt/bpf');

/** The shipped object of a program. Throws ACG_NATIVE_MISSING. */
export function readObject(name: string): Uint8Array {
  const path = join(objectDirectory, `${name}.bpf.o`);
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new AcgError('ACG_NATIVE_MISSING', path, { cause });
  }
}

/**
 * Opens the object and adjusts it before it is loaded: layouts checked, hooks switched off, sizes and constants set, shared maps
 * taken over from their pins. `hooks` keeps what was found out about them in earlier attempts.
 */
export function openObject(
  spec: ProgramSpec,
  options: LoadOptions,
  bytes: Uint8Array,
  root: string | undefined,
  hooks: Map<string, Hook>,
): BpfObject {
  let object: BpfObject;
  try {
    object = new (bpf().BpfObject)(bytes, spec.name);
  } catch (cause) {
    throw loadError(spec.name, cause);
  }
  try {
    checkLayouts(`${spec.name}.bpf.o`, spec.structs, object.structs('acg_'));
    for (const { name, section } of object.programs()) {
      const hook = hooks.get(name) ?? { name, place: section, on: !options.off?.includes(name) };
      hooks.set(name, hook);
      if (!hook.on) {
        hook.why ??= 'switched off';
        object.setAutoload(name, false);
      }
    }
    for (const { name, type } of object.maps())
      if (type === STRUCT_OPS && options.off?.includes(name)) object.setAutocreate(name, false);
    for (const [name, entries] of Object.entries(options.maxEntries ?? {})) object.setMaxEntries(name, entries);
    setConstants(object, spec.name, options.constants ?? {});
    if (root) reuseShared(object, root);
    return object;
  } catch (error) {
    object.close();
    throw loadError(spec.name, error);
  }
}

/** An integer of the machine's byte order, 1 to 8 bytes. */
function constant(value: number | bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(8);
  bits64.write(new DataView(bytes.buffer), 0, BigInt.asUintN(64, BigInt(value)));
  return littleEndian ? bytes.subarray(0, size) : bytes.subarray(8 - size);
}

function setConstants(object: BpfObject, name: string, constants: Record<string, number | bigint>): void {
  const known = object.variables().filter(({ section }) => section === '.rodata');
  const map = object.maps().find((m) => m.name.endsWith('.rodata'))?.name;
  for (const [variable, value] of Object.entries(constants)) {
    const place = known.find((v) => v.name === variable);
    if (!place || !map) throw new AcgError('ACG_BPF_LAYOUT', `${name}.bpf.o has no constant ${variable}`);
    object.setInitial(map, place.offset, constant(value, place.size));
  }
}

function reuseShared(object: BpfObject, root: string): void {
  for (const { name } of object.maps().filter((m) => shared.includes(m.name))) {
    using pinned = openPin(join(root, sharedDirectory, name));
    if (pinned) object.reuseMap(name, pinned.fd);
  }
}

/** Pins the shared maps that this object was the first to make. */
export function pinShared(object: BpfObject, root: string): void {
  makePinDirectory(join(root, sharedDirectory));
  for (const { name } of object.maps().filter((m) => shared.includes(m.name))) {
    const path = join(root, sharedDirectory, name);
    if (existsSync(path)) continue;
    using map = new Descriptor(object.mapFd(name));
    pin(map, path);
  }
}
