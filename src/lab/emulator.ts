import { existsSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from './cache.ts';
import { execute } from './execute.ts';
import { withLock } from './lock.ts';
import { requirePackages } from './packages.ts';
import { machineCodename, machineMirror, privateApt } from './private-apt.ts';

/**
 * With a clock that counts instructions, older releases let the first busy virtual CPU run until the next timer and leave the
 * others nothing: two busy CPUs took turns of up to 150 ms, and who was to start on the second one waited for seconds.
 */
const FAIR = [8, 1] as const;
/** After a fetch that failed. */
const RETRY_MS = 86_400_000;
const PROGRAM = 'usr/bin/qemu-system-x86_64';
/** The emulator, and what it reads of the machine's firmware. */
const PACKAGES = ['qemu-system-x86', 'qemu-system-data', 'seabios'];

/** A QEMU, and its version as in `10.0.2`. */
export interface Emulator {
  program: string;
  version: string;
}

/** Do the CPUs of its guests take turns evenly? */
export function isFair({ version }: Pick<Emulator, 'version'>): boolean {
  const [major, minor] = version.split('.').map(Number) as [number, number];
  return major > FAIR[0] || (major === FAIR[0] && minor >= FAIR[1]);
}

let found: Emulator | undefined;

/**
 * The QEMU for guests whose clock counts instructions: the machine's, or, where that is too old, the one that Debian's backports
 * have for the machine's release, unpacked into the cache and installed nowhere. Where that is not to be had the machine's all the
 * same: that is said, and not tried again for a day. Throws ACG_LAB_PACKAGE; the signal's reason when aborted.
 */
export async function fairEmulator(say: (text: string) => void, signal?: AbortSignal): Promise<Emulator> {
  found ??= await find(say, signal);
  return found;
}

async function find(say: (text: string) => void, signal: AbortSignal | undefined): Promise<Emulator> {
  const installed = await emulator(requirePackages(['qemu-system-x86'])['qemu-system-x86']);
  if (isFair(installed)) return installed;
  const root = cacheFolder('lab', 'emulators');
  const there = await cached(root);
  if (there) return there;
  return withLock(join(root, '.lock'), async () => {
    const fetched = await cached(root);
    const failed = join(root, '.failed');
    if (fetched) return fetched;
    if (existsSync(failed) && Date.now() - statSync(failed).mtimeMs < RETRY_MS) return installed;
    try {
      return await fetch(root, say, signal);
    } catch (error) {
      signal?.throwIfAborted();
      await writeFile(failed, String(error));
      say(`${(error as Error).message}; under QEMU ${installed.version} a guest's CPUs take turns unevenly`);
      return installed;
    }
  });
}

async function emulator(program: string): Promise<Emulator> {
  const text = (await execute(program, ['--version'])).toString();
  const version = /version ([\d.]+)/.exec(text)?.[1];
  if (!version) throw new Error(`${program} --version says ${text.slice(0, 80)}`);
  return { program, version };
}

async function cached(root: string): Promise<Emulator | undefined> {
  const complete = (await readdir(root)).filter((entry) => !entry.startsWith('.'));
  const programs = complete.map((entry) => join(root, entry, PROGRAM));
  const found = programs.find((program) => existsSync(program));
  return found === undefined ? undefined : emulator(found);
}

async function fetch(root: string, say: (text: string) => void, signal: AbortSignal | undefined): Promise<Emulator> {
  const suite = `${await machineCodename()}-backports`;
  say(`fetching a newer QEMU from ${suite} (about 13 MB, once)`);
  const work = await mkdtemp(join(root, '.new-'));
  try {
    const { 'debian-archive-keyring': keyring } = requirePackages(['debian-archive-keyring']);
    const apt = await privateApt(work, await machineMirror(), suite, keyring, signal);
    await apt('apt-get', ['-q', 'update']);
    const packages = join(work, 'packages');
    await mkdir(packages);
    await apt('apt-get', ['-q', 'download', ...PACKAGES], packages);
    for (const file of await readdir(packages)) await execute('dpkg', ['-x', join(packages, file), join(work, 'tree')]);
    const { version } = await emulator(join(work, 'tree', PROGRAM));
    if (!isFair({ version })) throw new Error(`${suite} has only QEMU ${version}`);
    const target = join(root, `qemu-${version}`);
    await rename(join(work, 'tree'), target);
    return { program: join(target, PROGRAM), version };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
