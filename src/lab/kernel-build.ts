import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { AcgError } from '../model/index.ts';
import { cacheFolder } from './cache.ts';
import { execute } from './execute.ts';
import type { KernelRecord, Say } from './kernel.ts';
import { type KernelSeries, lostOptions, readSeries } from './kernel-series.ts';
import { preparedTree } from './kernel-tree.ts';
import { withLock } from './lock.ts';
import type { LabPackage } from './packages.ts';

export interface KernelBuildOptions {
  /** Lockdep, KASAN and their like. Another kernel, beside the plain one. */
  debug?: boolean;
  /** Look for a newer source package even if there is one. */
  refresh?: boolean;
  /** Compilers at once; by default as many as there are processors. */
  jobs?: number | undefined;
  signal?: AbortSignal | undefined;
}

const packages: readonly LabPackage[] = JSON.parse(
  readFileSync(new URL('./kernel-packages.json', import.meta.url), 'utf8'),
);

/** How many files a build compiles, about: for the progress shown. */
const filesAbout = 1900;

/** The name of a kernel of ours in the cache: `memcg-bpf` or `memcg-bpf-debug`. */
export const builtName = (debug: boolean): string => (debug ? 'memcg-bpf-debug' : 'memcg-bpf');

/**
 * Builds the kernel with the project's series into the cache as `kernels/NAME-VERSION-RECIPE/`, unless it is there. Source
 * and objects stay in the cache, so that the next series takes a minute or two instead of ten. One process builds at a
 * time. Throws ACG_LAB_KERNEL: no source, a patch that does not fit, the compiler's words; ACG_LAB_PACKAGE when the
 * packages it needs cannot be installed.
 */
export async function buildKernel(say: Say, options: KernelBuildOptions = {}): Promise<void> {
  if (process.arch !== 'x64') throw new AcgError('ACG_LAB_KERNEL', `no kernel for ${process.arch} yet`);
  const { debug = false, signal } = options;
  const series = await readSeries(debug);
  const root = cacheFolder('kernel-build');
  await installPackages(say);
  const begin = Date.now();
  try {
    await withLock(
      join(root, '.lock'),
      async () => {
        const made = (await readdir(cacheFolder('kernels'))).some((name) => name.endsWith(`-${series.recipe}`));
        if (made && !options.refresh) return;
        const tree = await preparedTree(root, series, say, options);
        const target = join(cacheFolder('kernels'), `${builtName(debug)}-${tree.version}-${series.recipe}`);
        if (existsSync(target)) return;
        const objects = join(tree.folder, '..', debug ? 'objects-debug' : 'objects');
        await configure(tree.folder, objects, series, signal);
        await compile(tree.folder, objects, say, options);
        await install(objects, target, `${series.source} ${tree.version} with kernel/patches`, series, debug);
      },
      { onWait: () => say('another process is building it: waiting') },
    );
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof AcgError
      ? error
      : new AcgError('ACG_LAB_KERNEL', (error as Error).message, { cause: error });
  }
  say(`kernel built in ${Math.round((Date.now() - begin) / 1000)} s`);
}

async function installPackages(say: Say): Promise<void> {
  const missing = packages.filter((p) => ![p.probe].flat().some((file) => existsSync(file))).map((p) => p.package);
  if (missing.length === 0) return;
  const command = `apt-get install --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0) throw new AcgError('ACG_LAB_PACKAGE', command);
  say(`installing ${missing.join(', ')}`);
  const apt = (...args: string[]) => execute('env', ['DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', ...args]);
  try {
    await apt('update');
    await apt('install', '-y', '--no-install-recommends', ...missing);
  } catch (cause) {
    throw new AcgError('ACG_LAB_PACKAGE', `${command}: ${(cause as Error).message}`, { cause });
  }
}

/** What make(1) is told each time: another value would compile everything again. */
function makeArguments(source: string, objects: string): string[] {
  const ccache = spawnSync('ccache', ['--version']).status === 0;
  // the tree is no git repository: nothing to add to the version
  return ['-C', source, `O=${objects}`, 'ARCH=x86_64', 'LOCALVERSION=', ...(ccache ? ['CC=ccache gcc'] : [])];
}

async function configure(
  source: string,
  objects: string,
  { config }: KernelSeries,
  signal: AbortSignal | undefined,
): Promise<void> {
  await mkdir(objects, { recursive: true });
  const fragment = join(objects, '.fragment');
  await writeFile(fragment, config);
  await execute('make', ['-s', ...makeArguments(source, objects), `KCONFIG_ALLCONFIG=${fragment}`, 'allnoconfig'], {
    signal,
  });
  const lost = lostOptions(config, await readFile(join(objects, '.config'), 'utf8'));
  if (lost.length > 0)
    throw new AcgError('ACG_LAB_KERNEL', `kernel/config: this source does not take ${lost.join(', ')}`);
}

async function compile(source: string, objects: string, say: Say, options: KernelBuildOptions): Promise<void> {
  const { jobs = availableParallelism(), signal } = options;
  const begin = Date.now();
  say(`compiling with ${jobs} processes: about ten minutes on two free processors, once`);
  const make = spawn('nice', ['make', `-j${jobs}`, ...makeArguments(source, objects), 'vmlinux'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // a group of its own, to end make together with all its compilers
    detached: true,
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  });
  const end = () => process.kill(-make.pid!, 'SIGTERM');
  signal?.addEventListener('abort', end);
  const errors: string[] = [];
  let files = 0;
  createInterface(make.stdout).on('line', (line) => {
    if (/^ {2}(CC|AS) /.test(line)) files++;
  });
  createInterface(make.stderr).on('line', (line) => {
    errors.push(line);
    if (errors.length > 40) errors.shift();
  });
  const progress = setInterval(() => {
    say(`compiled ${files} of about ${filesAbout} files, ${Math.round((Date.now() - begin) / 1000)} s`);
  }, 20_000);
  try {
    const status = await new Promise((resolve, reject) => make.on('error', reject).on('close', resolve));
    signal?.throwIfAborted();
    if (status !== 0) {
      const why = errors.filter((line) => /error|Error/.test(line)).slice(0, 5);
      throw new AcgError('ACG_LAB_KERNEL', `make: ${(why.length > 0 ? why : errors.slice(-3)).join(' | ')}`);
    }
  } finally {
    clearInterval(progress);
    signal?.removeEventListener('abort', end);
  }
}

async function install(
  objects: string,
  target: string,
  origin: string,
  { recipe }: KernelSeries,
  debug: boolean,
): Promise<void> {
  const made = `${target}.new`;
  await rm(made, { recursive: true, force: true });
  // no modules; the guest sees this in place of the host's
  await mkdir(join(made, 'lib/modules'), { recursive: true });
  // QEMU boots the ELF through its PVH entry; what only a debugger reads stays with the objects
  await execute('objcopy', ['--strip-all', join(objects, 'vmlinux'), join(made, 'vmlinux')]);
  const record: KernelRecord = {
    release: (await readFile(join(objects, 'include/config/kernel.release'), 'utf8')).trim(),
    origin,
    recipe,
    modules: { overlay: [], zram: [] },
    at: new Date().toISOString(),
  };
  await writeFile(join(made, 'kernel.json'), `${JSON.stringify(record, null, 2)}\n`);
  await rename(made, target);
  // kernels of earlier series: nobody asks for them by name any more
  const folder = join(target, '..');
  for (const name of await readdir(folder)) {
    const file = join(folder, name, 'kernel.json');
    if (!name.startsWith(`${builtName(debug)}-`) || join(folder, name) === target || !existsSync(file)) continue;
    const { release } = JSON.parse(await readFile(file, 'utf8')) as KernelRecord;
    if (release === record.release) await rm(join(folder, name), { recursive: true });
  }
}
