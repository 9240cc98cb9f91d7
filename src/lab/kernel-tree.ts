import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AcgError } from '../model/index.ts';
import { execute } from './execute.ts';
import type { Say } from './kernel.ts';
import type { KernelSeries } from './kernel-series.ts';
import { requirePackages } from './packages.ts';
import { machineMirror, privateApt } from './private-apt.ts';

/** Suites that have newer kernels than the machine's own release. */
const suites = ['trixie-backports', 'sid'];

/** A source tree with the series in it. */
export interface KernelTree {
  /** Version of the source package. */
  version: string;
  folder: string;
}

/**
 * The source of `series` in `root/VERSION/src`, its patches applied. What is there is used: `refresh` looks for a newer
 * version. Throws ACG_LAB_KERNEL: no such package, or a patch that does not fit.
 */
export async function preparedTree(
  root: string,
  series: KernelSeries,
  say: Say,
  { refresh = false, signal }: { refresh?: boolean; signal?: AbortSignal | undefined } = {},
): Promise<KernelTree> {
  const prefix = `${series.source}_`;
  const [there] = (await readdir(root))
    .filter((name) => name.startsWith(prefix) && existsSync(join(root, name, 'src/Makefile')))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  const found = there && !refresh ? there : `${prefix}${await fetchSource(root, series.source, say, signal)}`;
  const folder = join(root, found, 'src');
  await applySeries(folder, series);
  return { version: found.slice(prefix.length), folder };
}

/** Downloads and unpacks the source package; returns its version. */
async function fetchSource(root: string, name: string, say: Say, signal: AbortSignal | undefined): Promise<string> {
  const { 'debian-archive-keyring': keyring } = requirePackages(['debian-archive-keyring', 'xz-utils']);
  const mirror = await machineMirror();
  const failures: string[] = [];
  for (const suite of suites) {
    const work = join(root, '.new');
    await rm(work, { recursive: true, force: true });
    await mkdir(work, { recursive: true });
    try {
      const apt = await privateApt(work, mirror, suite, keyring, signal);
      await apt('apt-get', ['-q', 'update']);
      const about = (await apt('apt-cache', ['show', '--no-all-versions', name])).toString();
      const version = /^Version: (\S+)$/m.exec(about)?.[1];
      if (!version) throw new Error(`no version of ${name}`);
      if (existsSync(join(root, `${name}_${version}`, 'src/Makefile'))) return version;
      say(`fetching ${name} ${version} from ${suite} (about 160 MB)`);
      await apt('apt-get', ['-q', 'download', `${name}=${version}`]);
      say('unpacking it (1.8 GB)');
      const package_ = (await readdir(work)).find((file) => file.endsWith('.deb'));
      await execute('dpkg', ['-x', join(work, package_!), join(work, 'tree')], { signal });
      await mkdir(join(work, 'made/src'), { recursive: true });
      const archive = join(work, 'tree/usr/src', `${name}.tar.xz`);
      await execute('tar', ['-x', '--strip-components=1', '-C', join(work, 'made/src'), '-f', archive], { signal });
      await rm(join(root, `${name}_${version}`), { recursive: true, force: true });
      await rename(join(work, 'made'), join(root, `${name}_${version}`));
      return version;
    } catch (error) {
      signal?.throwIfAborted();
      failures.push(`${suite}: ${(error as Error).message}`);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
  throw new AcgError('ACG_LAB_KERNEL', `${mirror}: ${failures.join('; ')}`);
}

/**
 * Brings a tree to this series: takes out the one that is in it and puts this one in, so that only what differs is compiled
 * again. The patches in force are kept in the tree as `.series/`. Throws ACG_LAB_KERNEL with the hunks that do not fit;
 * the tree is then without the patch that failed and those after it.
 */
export async function applySeries(folder: string, { patches, source }: KernelSeries): Promise<void> {
  const applied = join(folder, '.series');
  await mkdir(applied, { recursive: true });
  const inForce = (await readdir(applied)).sort();
  let same = 0;
  while (
    same < Math.min(patches.length, inForce.length) &&
    inForce[same] === patches[same]!.name &&
    (await readFile(join(applied, inForce[same]!), 'utf8')) === patches[same]!.text
  )
    same++;
  for (const name of inForce.slice(same).reverse()) {
    await patch(folder, join(applied, name), ['--reverse']);
    await rm(join(applied, name));
  }
  for (const { name, text } of patches.slice(same)) {
    // beside the tree until it fits: what is in .series is in force
    const file = join(folder, `.${name}.trial`);
    await writeFile(file, text);
    try {
      await patch(folder, file, ['--dry-run']);
      await patch(folder, file, []);
      await rename(file, join(applied, name));
    } catch (error) {
      await rm(file, { force: true });
      throw new AcgError('ACG_LAB_KERNEL', `${name} does not fit ${source}: ${(error as Error).message}`);
    }
  }
}

/** Throws an Error that names files and hunks. Without fuzz: a hunk that nearly fits may be in the wrong place. */
async function patch(folder: string, file: string, options: string[]): Promise<void> {
  const args = ['-p1', '--batch', '--forward', '--fuzz=0', '--no-backup-if-mismatch', '--reject-file=-'];
  const all = options.includes('--reverse') ? args.filter((arg) => arg !== '--forward') : args;
  try {
    await execute('patch', [...all, ...options, `--input=${file}`], { cwd: folder });
  } catch (error) {
    const said = String((error as { cause?: { stdout?: Buffer } }).cause?.stdout ?? '');
    throw new Error(hunksThatFailed(said) || (error as Error).message);
  }
}

/** From what patch(1) says: "mm/memcontrol.c: hunk 2 at 1234". Pure. */
export function hunksThatFailed(said: string): string {
  let file = '';
  const failed: string[] = [];
  for (const line of said.split('\n')) {
    file = /^(?:checking|patching) file (\S+)/.exec(line)?.[1] ?? file;
    const hunk = /^Hunk #(\d+) FAILED at (\d+)/.exec(line);
    if (hunk) failed.push(`${file}: hunk ${hunk[1]} at line ${hunk[2]}`);
    if (/^can't find file to patch|^Reversed \(or previously applied\)/.test(line))
      failed.push(`${file}: ${line}`.trim());
  }
  return failed.join(', ');
}
