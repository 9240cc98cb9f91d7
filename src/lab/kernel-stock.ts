import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AcgError } from '../model/index.ts';
import { cacheFolder } from './cache.ts';
import { execute } from './execute.ts';
import type { KernelRecord, Say } from './kernel.ts';
import { uncompressedKernel } from './kernel-image.ts';
import { unpackBootModules } from './kernel-modules.ts';
import { withLock } from './lock.ts';
import { requirePackages } from './packages.ts';
import { machineMirror, privateApt } from './private-apt.ts';

/** Debian's newest kernel built for its stable release, then the newest there is. */
const suites = ['trixie-backports', 'sid'];
const metapackage = 'linux-image-cloud-amd64';

/**
 * Puts Debian's newest cloud kernel into the cache as `kernels/stock-RELEASE/`: taken out of its packages, installed
 * nowhere. apt checks signature and hashes, with lists and state of our own, so the machine's apt is neither read (but for
 * the mirror's address and proxy settings) nor changed. One process fetches at a time; a folder appears complete or not
 * at all. `refresh`: also when there is one already. Throws ACG_LAB_KERNEL.
 */
export async function fetchStockKernel(
  say: Say,
  { refresh = false, signal }: { refresh?: boolean; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  if (process.arch !== 'x64') throw new AcgError('ACG_LAB_KERNEL', `no stock kernel for ${process.arch} yet`);
  const tools = requirePackages(['debian-archive-keyring', 'xz-utils', 'kmod']);
  const root = cacheFolder('kernels');
  const begin = Date.now();
  say('fetching the stock Debian kernel (about 37 MB, once)');
  try {
    await withLock(
      join(root, '.lock'),
      async () => {
        const there = (await readdir(root)).some((entry) => entry.startsWith('stock-'));
        if (refresh || !there) await fetchLocked(root, tools, signal);
      },
      { onWait: () => say('another process is fetching it: waiting') },
    );
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof AcgError
      ? error
      : new AcgError('ACG_LAB_KERNEL', (error as Error).message, { cause: error });
  }
  say(`kernel fetched in ${((Date.now() - begin) / 1000).toFixed(1)} s`);
}

async function fetchLocked(
  root: string,
  tools: { 'debian-archive-keyring': string; kmod: string },
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const left of await readdir(root)) if (left.startsWith('.new-')) await rm(join(root, left), { recursive: true });
  const mirror = await machineMirror();
  const failures: string[] = [];
  for (const suite of suites) {
    const work = await mkdtemp(join(root, '.new-'));
    try {
      const apt = await privateApt(work, mirror, suite, tools['debian-archive-keyring'], signal);
      await apt('apt-get', ['-q', 'update']);
      const packages = await kernelPackages((name) => apt('apt-cache', ['show', '--no-all-versions', name]));
      await mkdir(join(work, 'packages'));
      await apt(
        'apt-get',
        ['-q', 'download', ...packages.map((p) => `${p.name}=${p.version}`)],
        join(work, 'packages'),
      );
      await unpack(root, work, tools.kmod, `${metapackage} ${packages[0]!.version} from ${suite}`);
      return;
    } catch (error) {
      signal?.throwIfAborted();
      failures.push(`${suite}: ${(error as Error).message}`);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
  throw new AcgError('ACG_LAB_KERNEL', `${mirror}: ${failures.join('; ')}`);
}

interface KernelPackage {
  name: string;
  version: string;
}

/** The packages that hold the metapackage's kernel: image and modules, which newer releases keep apart. */
async function kernelPackages(show: (name: string) => Promise<Buffer>): Promise<KernelPackage[]> {
  const found = new Map<string, KernelPackage>();
  const follow = async (name: string) => {
    const text = (await show(name)).toString();
    const version = /^Version: (\S+)$/m.exec(text)?.[1];
    if (!version) throw new Error(`no version of ${name}`);
    if (name !== metapackage) found.set(name, { name, version });
    for (const [next] of (/^Depends: (.*)$/m.exec(text)?.[1] ?? '').matchAll(
      /\blinux-(image|binary|modules)-\d[^\s,]*/g,
    ))
      if (!found.has(next)) await follow(next);
  };
  await follow(metapackage);
  return [...found.values()];
}

async function unpack(root: string, work: string, depmod: string, origin: string): Promise<void> {
  const tree = join(work, 'tree');
  await mkdir(tree);
  for (const file of await readdir(join(work, 'packages')))
    await execute('dpkg', ['-x', join(work, 'packages', file), tree]);
  const [modules] = ['usr/lib/modules', 'lib/modules'].map((m) => join(tree, m)).filter((m) => existsSync(m));
  const [release] = modules ? await readdir(modules) : [];
  if (!modules || !release) throw new Error(`no modules in ${origin}`);
  const image = [join(modules, release, 'vmlinuz'), join(tree, 'boot', `vmlinuz-${release}`)].find((f) =>
    existsSync(f),
  );
  if (!image) throw new Error(`no vmlinuz in ${origin}`);

  const made = join(work, 'made');
  await mkdir(join(made, 'lib/modules'), { recursive: true });
  await rename(image, join(made, 'vmlinuz'));
  const uncompressed = uncompressedKernel(await readFile(join(made, 'vmlinuz')));
  if (uncompressed) await writeFile(join(made, 'vmlinux'), uncompressed);
  await rename(join(modules, release), join(made, 'lib/modules', release));
  await execute(depmod, ['-b', made, release]);
  const record: KernelRecord = {
    release,
    origin,
    modules: await unpackBootModules(join(made, 'lib/modules', release), join(made, 'boot-modules')),
    at: new Date().toISOString(),
  };
  await writeFile(join(made, 'kernel.json'), `${JSON.stringify(record, null, 2)}\n`);
  const target = join(root, `stock-${release}`);
  // the same release again: guests may be using it
  if (!existsSync(target)) await rename(made, target);
}
