import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AcgError } from '../../model/index.ts';
import { bpf, isBpfFailure } from './addon.ts';
import { Descriptor } from './descriptor.ts';
import { WIRE_VERSION } from './wire.ts';

/** Where what must outlive the daemon is pinned. */
export const defaultPinRoot = '/sys/fs/bpf/agentcgroup';

/** Maps that all programs share, of this release's layout. */
export const sharedDirectory = `shared-v${WIRE_VERSION}`;

/** Programs and shared maps of any release: `name-<key>`, `shared-v<n>`. */
const OURS = /^(shared-v\d+|[a-z_]+-[0-9a-f]{12}(-new)?)$/;

/** The BPF file system refuses dots in names; ".rodata" and its like have one. */
export const pinName = (name: string): string => name.replaceAll('.', '_');

/**
 * Makes a directory in a BPF file system, mounting one on /sys/fs/bpf where the host has none there (outside systemd). Throws
 * ACG_BPF_PIN when the place is in no BPF file system.
 */
export function makePinDirectory(path: string): void {
  let place = path;
  while (!existsSync(place)) place = dirname(place);
  if (!bpf().isBpffs(place)) {
    if (place !== '/sys/fs/bpf') throw new AcgError('ACG_BPF_PIN', `${place} is not in a BPF file system`);
    try {
      bpf().mountBpffs(place);
    } catch (cause) {
      throw new AcgError('ACG_BPF_PIN', cause instanceof Error ? cause.message : String(cause), { cause });
    }
  }
  mkdirSync(path, { recursive: true, mode: 0o700 });
}

/** Pins a descriptor; one already pinned there is an error. */
export function pin(of: Descriptor, path: string): void {
  try {
    bpf().pin(of.fd, path);
  } catch (cause) {
    throw new AcgError('ACG_BPF_PIN', isBpfFailure(cause) ? cause.message : String(cause), { cause });
  }
}

/** What is pinned at the path; undefined when nothing is. */
export function openPin(path: string): Descriptor | undefined {
  try {
    const fd = bpf().openPin(path);
    return fd === undefined ? undefined : new Descriptor(fd);
  } catch (cause) {
    throw new AcgError('ACG_BPF_PIN', isBpfFailure(cause) ? cause.message : String(cause), { cause });
  }
}

/** Removes pins below a directory and the directory. A link whose last pin goes is detached; missing is fine. */
export function removePins(path: string): void {
  if (!existsSync(path)) return;
  // links first: nothing runs any more when its maps go
  const order = (name: string) => (name === 'links' ? 0 : 1);
  const entries = readdirSync(path, { withFileTypes: true }).sort((a, b) => order(a.name) - order(b.name));
  for (const entry of entries) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) removePins(child);
    else unlinkSync(child);
  }
  rmdirSync(path);
}

/**
 * Removes everything of ours below a root, and the root when nothing else is left there. What others keep in that folder stays.
 * Throws ACG_BPF_PIN when it is in no BPF file system: files are never deleted, whatever --pin-root names.
 */
export function removeAllPins(root: string): void {
  if (!existsSync(root)) return;
  if (!bpf().isBpffs(root)) throw new AcgError('ACG_BPF_PIN', `${root} is not in a BPF file system`);
  const ours = readdirSync(root).filter((name) => name === STAY || OURS.test(name));
  for (const name of ours) removePins(join(root, name));
  if (ours.length > 0 && readdirSync(root).length === 0) rmdirSync(root);
}

/**
 * Removes the pins of a version whose place another one takes at once. The kernel detaches a link that goes with its pin in its
 * own time, and one that its last holder closes before that returns: so somebody holds them.
 */
export function replacePins(path: string): void {
  const folder = join(path, 'links');
  const links = existsSync(folder) ? readdirSync(folder).map((name) => openPin(join(folder, name))) : [];
  removePins(path);
  for (const link of links) link?.close();
}

/** Everything for one program is pinned under a name nobody looks at, then takes its place in one step. */
export function publishPins(from: string, to: string): void {
  removePins(to);
  renameSync(from, to);
}

/** Its presence says that somebody wants the programs to stay, whether a daemon needs them or not. */
const STAY = 'stay';

/** Has the programs stay when the last session of a daemon has gone: `agentcgroup bpf load`. `removePins` ends it. */
export function keepPinned(root: string): void {
  makePinDirectory(join(root, STAY));
}

export function isKept(root: string): boolean {
  return existsSync(join(root, STAY));
}

/** Versions of a program pinned in this root: directories `name-<key>`. */
export function pinnedVersions(root: string, name: string): string[] {
  if (!existsSync(root)) return [];
  const pattern = new RegExp(`^${name}-[0-9a-f]{12}(-new)?$`);
  return readdirSync(root).filter((entry) => pattern.test(entry));
}
