import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AcgError } from '../../model/index.ts';
import { type BpfFailure, type BpfObject, isBpfFailure } from './addon.ts';
import { Descriptor } from './descriptor.ts';
import { openObject, pinShared, readObject, STRUCT_OPS } from './open.ts';
import {
  defaultPinRoot,
  makePinDirectory,
  openPin,
  pin,
  pinName,
  pinnedVersions,
  publishPins,
  removePins,
  replacePins,
} from './pins.ts';
import { missingPrivilege } from './privilege.ts';
import { LoadedProgram, loadError } from './program.ts';
import type { Hook, LoadOptions, ProgramSpec } from './spec.ts';
import { refusedProgram, verdict } from './verdict.ts';

/** What is pinned under this key behaves alike: same object, same constants, same sizes, same choice of hooks. */
function keyOf(object: Uint8Array, { constants, maxEntries, off, later }: LoadOptions): string {
  const numbers = Object.entries(constants ?? {}).map(([name, value]) => [name, String(value)]);
  const words = JSON.stringify([numbers, maxEntries ?? {}, off ?? [], later ?? []]);
  return createHash('sha256').update(object).update(words).digest('hex').slice(0, 12);
}

/**
 * Puts a program into the kernel, or finds it there: pinned by an earlier process, the same object with the same options, it is
 * reopened and goes on undisturbed; another version is replaced. A hook that the kernel refuses is left out, with the reason in
 * `hooks`, unless it is essential.
 * Throws ACG_BPF_UNSUPPORTED (no privilege), ACG_BPF_LOAD (the verifier's words), ACG_BPF_LAYOUT, ACG_BPF_PIN, ACG_NATIVE_MISSING.
 */
export function loadProgram(spec: ProgramSpec, options: LoadOptions = {}): LoadedProgram {
  const missing = missingPrivilege();
  if (missing) throw new AcgError('ACG_BPF_UNSUPPORTED', missing);
  const object = options.object ?? readObject(spec.name);
  const root = options.pinRoot === false ? undefined : (options.pinRoot ?? defaultPinRoot);
  const directory = root && join(root, `${spec.name}-${keyOf(object, options)}`);
  if (directory && isComplete(directory, options)) return reopen(spec, options, object, directory, root);
  const hooks = new Map<string, Hook>();
  const opened = verify(spec, options, object, root, hooks);
  try {
    if (root) for (const version of pinnedVersions(root, spec.name)) replacePins(join(root, version));
    return attachAll(spec, options, opened, hooks, directory);
  } catch (error) {
    opened.close();
    throw loadError(spec.name, error);
  }
}

/** A struct_ops map that was never attached can be filled in only by the process that loaded it. */
function isComplete(directory: string, { later }: LoadOptions): boolean {
  return existsSync(directory) && (later ?? []).every((map) => existsSync(join(directory, 'links', pinName(map))));
}

/** A struct_ops member that was written is wanted: without it the kernel would take its own default in silence. */
const isEssential = (spec: ProgramSpec, { name, place }: Hook) =>
  spec.essential.includes(name) || place.startsWith('struct_ops');

/** Opens and loads, leaving out one refused hook after the other. */
function verify(
  spec: ProgramSpec,
  options: LoadOptions,
  bytes: Uint8Array,
  root: string | undefined,
  hooks: Map<string, Hook>,
): BpfObject {
  for (;;) {
    const object = openObject(spec, options, bytes, root, hooks);
    try {
      object.load();
      if (root) pinShared(object, root);
      return object;
    } catch (error) {
      object.close();
      const refused = isBpfFailure(error) ? refusedProgram(error) : undefined;
      const hook = refused === undefined ? undefined : hooks.get(refused);
      if (!hook?.on || isEssential(spec, hook)) throw loadError(spec.name, error);
      hook.on = false;
      hook.why = verdict(error as BpfFailure);
    }
  }
}

/** Asks the kernel whether it takes each program, and keeps none. The hooks, with the kernel's words for those refused. */
export function verifyOnly(spec: ProgramSpec, options: Pick<LoadOptions, 'object'> = {}): Hook[] {
  const hooks = new Map<string, Hook>();
  verify(spec, options, options.object ?? readObject(spec.name), undefined, hooks).close();
  return [...hooks.values()];
}

/** Sections whose programs attach by themselves; the others (iterators, syscall, struct_ops members) are called by someone. */
const attaches = (section: string) =>
  /^(tp_btf|raw_tp|fentry|fexit|fmod_ret|lsm|kprobe|tp|tracepoint)(\.s)?\//.test(section);

function attachAll(
  spec: ProgramSpec,
  options: LoadOptions,
  object: BpfObject,
  hooks: Map<string, Hook>,
  directory: string | undefined,
): LoadedProgram {
  const maps = new Map<string, Descriptor>();
  const programs = new Map<string, Descriptor>();
  const links = new Map<string, Descriptor>();
  const attach = (hook: Hook, how: () => number) => {
    try {
      links.set(hook.name, new Descriptor(how()));
    } catch (error) {
      if (isEssential(spec, hook) || !isBpfFailure(error)) throw error;
      hook.on = false;
      hook.why = verdict(error);
    }
  };
  const work = directory && `${directory}-new`;
  try {
    const wanted = object.maps().filter(({ name }) => !options.off?.includes(name));
    for (const { name } of wanted) maps.set(pinName(name), new Descriptor(object.mapFd(name)));
    for (const { name, autoload } of object.programs()) {
      const hook = hooks.get(name)!;
      if (autoload) programs.set(name, new Descriptor(object.programFd(name)));
      // libbpf switches off members of struct_ops that this kernel does not have
      else if (hook.on) Object.assign(hook, { on: false, why: 'this kernel has no such operation' });
    }
    for (const hook of hooks.values())
      if (hook.on && attaches(hook.place)) attach(hook, () => object.attach(hook.name));
    for (const { name } of object.maps().filter((m) => m.type === STRUCT_OPS)) {
      const hook: Hook = { name, place: 'struct_ops', on: !options.later?.includes(name) };
      hooks.set(name, hook);
      if (!wanted.some((map) => map.name === name)) Object.assign(hook, { on: false, why: 'switched off' });
      else if (hook.on) attach(hook, () => object.attachStructOps(name));
      else hook.why = 'not attached yet';
    }
    if (work) pinAll(work, { maps, programs, links });
    if (work && directory) publishPins(work, directory);
  } catch (error) {
    if (work) removePins(work);
    for (const set of [links, programs, maps]) for (const descriptor of set.values()) descriptor.close();
    throw error;
  }
  const unprepared = options.later ?? [];
  if (unprepared.length === 0) object.close();
  const keep = unprepared.length > 0 ? { object, unprepared } : {};
  return new LoadedProgram({
    name: spec.name,
    reopened: false,
    hooks: [...hooks.values()],
    maps,
    programs,
    links,
    directory,
    ...keep,
  });
}

function pinAll(work: string, sets: Record<string, Map<string, Descriptor>>): void {
  removePins(work);
  for (const [kind, set] of Object.entries(sets)) {
    makePinDirectory(join(work, kind));
    for (const [name, descriptor] of set) pin(descriptor, join(work, kind, pinName(name)));
  }
}

/** What an earlier process pinned under the same key. What it could not attach is told from the object by its absence. */
function reopen(
  spec: ProgramSpec,
  options: LoadOptions,
  bytes: Uint8Array,
  directory: string,
  root: string | undefined,
): LoadedProgram {
  const hooks = new Map<string, Hook>();
  const object = openObject(spec, options, bytes, root, hooks);
  const structOps = object.maps().filter((m) => m.type === STRUCT_OPS);
  object.close();
  for (const { name } of structOps) hooks.set(name, { name, place: 'struct_ops', on: true });
  const all = (kind: string) => {
    const found = new Map<string, Descriptor>();
    for (const name of readdirSync(join(directory, kind))) found.set(name, openPin(join(directory, kind, name))!);
    return found;
  };
  const [maps, programs, links] = [all('maps'), all('programs'), all('links')];
  for (const hook of hooks.values()) {
    hook.on = links.has(hook.name) || (programs.has(hook.name) && !attaches(hook.place));
    if (!hook.on) hook.why ??= 'was not attached when it was loaded';
  }
  return new LoadedProgram({
    name: spec.name,
    reopened: true,
    hooks: [...hooks.values()],
    maps,
    programs,
    links,
    directory,
  });
}
