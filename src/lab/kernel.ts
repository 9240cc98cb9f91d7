import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { AcgError } from '../model/index.ts';
import { cacheFolder } from './cache.ts';
import { buildKernel } from './kernel-build.ts';
import { readSeries } from './kernel-series.ts';
import { fetchStockKernel } from './kernel-stock.ts';

/** Hears what people should know: what takes long. */
export type Say = (notice: string) => void;

/** What is written beside a kernel in the cache, as `kernel.json`. */
export interface KernelRecord {
  /** `uname -r`. */
  release: string;
  /** Where it comes from, for people: package, version, suite. */
  origin: string;
  /** Modules the guest's init loads, decompressed, below `boot-modules/`; each after what it depends on. */
  modules: { overlay: string[]; zram: string[] };
  /** Of a kernel we built: the hash of patches and configuration. */
  recipe?: string;
  /** When it was fetched or built, ISO 8601. */
  at: string;
}

/** A kernel the lab can boot. */
export interface LabKernel extends Partial<KernelRecord> {
  /** `stock`, `memcg-bpf`, `memcg-bpf-debug`, or the path it was named by. */
  name: string;
  image: string;
  /** The kernel's folder in the cache; absent for a kernel named by path. */
  folder?: string;
}

/**
 * Kernels the lab knows by name. The cache holds each as `kernels/NAME-RELEASE/` with `vmlinuz` or, which
 * boots faster, `vmlinux`, `kernel.json`,
 * `boot-modules/` and the modules tree `lib/modules/RELEASE/`. `provide` makes one when there is none.
 *
 * A kernel of one's own needs (all built in, or as modules named in kernel.json): BLK_DEV_INITRD, DEVTMPFS, TMPFS,
 * TMPFS_XATTR, VIRTIO_PCI, VIRTIO_CONSOLE, VIRTIO_FS, OVERLAY_FS, UNIX98_PTYS, SIGNALFD, SERIAL_8250_CONSOLE, CGROUPS,
 * ZRAM for swap.
 */
const known: Record<string, Family> = {
  stock: { provide: fetchStockKernel },
  'memcg-bpf-debug': {
    provide: (say, options) => buildKernel(say, { ...options, debug: true }),
    recipe: async () => (await readSeries(true)).recipe,
  },
  'memcg-bpf': {
    provide: buildKernel,
    recipe: async () => (await readSeries(false)).recipe,
  },
};

interface Family {
  provide: (say: Say, options: { signal?: AbortSignal | undefined }) => Promise<void>;
  /** What it must be made of; a kernel made of something else does not count. */
  recipe?: () => Promise<string>;
}

/** The newest cached kernels first. `name` narrows it to one family. */
export async function listKernels(name?: string): Promise<LabKernel[]> {
  const root = cacheFolder('kernels');
  const kernels: LabKernel[] = [];
  for (const entry of await readdir(root)) {
    // the longer name first: one is the beginning of the other
    const family = Object.keys(known).find((k) => entry.startsWith(`${k}-`));
    const folder = join(root, entry);
    if (!family || (name && family !== name) || !existsSync(join(folder, 'kernel.json'))) continue;
    const record: KernelRecord = JSON.parse(await readFile(join(folder, 'kernel.json'), 'utf8'));
    const image = ['vmlinux', 'vmlinuz'].map((name) => join(folder, name)).find((file) => existsSync(file));
    if (image) kernels.push({ name: family, image, folder, ...record });
  }
  return kernels.sort((a, b) => b.release!.localeCompare(a.release!, 'en', { numeric: true }));
}

/** The kernel of that name in the cache, made of what the project has now; undefined when it has to be fetched or built. */
export async function cachedKernel(name: string): Promise<LabKernel | undefined> {
  const recipe = await known[name]?.recipe?.();
  return (await listKernels(name)).find((kernel) => kernel.recipe === recipe);
}

/**
 * The kernel to boot for `stock`, `memcg-bpf`, `memcg-bpf-debug` or the path of a bzImage (recognised by a slash). Fetches or builds what is
 * not in the cache; what is there is used at once, without a network. A path inside the cache's own layout brings its
 * modules along.  Throws ACG_LAB_KERNEL.
 */
export async function findKernel(name: string, say: Say, signal?: AbortSignal): Promise<LabKernel> {
  if (name.includes('/')) return kernelAt(resolve(name));
  const family = known[name];
  if (!family)
    throw new AcgError('ACG_LAB_KERNEL', `${name} is neither a path nor one of ${Object.keys(known).join(', ')}`);
  const cached = await cachedKernel(name);
  if (cached) return cached;
  await family.provide(say, { signal });
  const made = await cachedKernel(name);
  if (!made) throw new AcgError('ACG_LAB_KERNEL', `${name}: nothing in ${cacheFolder('kernels')} after fetching it`);
  return made;
}

async function kernelAt(image: string): Promise<LabKernel> {
  if (!existsSync(image)) throw new AcgError('ACG_LAB_KERNEL', `no file ${image}`);
  const folder = dirname(image);
  const record = join(folder, 'kernel.json');
  if (!basename(image).startsWith('vmlinu') || !existsSync(record)) return { name: image, image };
  return { name: image, image, folder, ...(JSON.parse(await readFile(record, 'utf8')) as KernelRecord) };
}
