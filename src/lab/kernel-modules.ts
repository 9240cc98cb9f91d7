import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { execute } from './execute.ts';

/** Modules by what the guest's init needs them for. Empty where the kernel has it built in. */
const wanted = { overlay: 'overlay', zram: 'zram' };

/**
 * Reads a `modules.dep` (depmod's; "path: path path"): the files to load for module `name`, each after those it depends
 * on. Empty when the kernel has it built in or not at all. Pure.
 */
export function loadOrder(modulesDep: string, name: string): string[] {
  for (const line of modulesDep.split('\n')) {
    const [file, needs] = line.split(':');
    if (!file || needs === undefined || moduleName(file) !== name) continue;
    // depmod lists the direct and indirect dependencies, the last to be loaded first
    return [file, ...needs.trim().split(/\s+/)].filter((f) => f !== '').reverse();
  }
  return [];
}

/** The name of a module file: dashes are underscores to the kernel. */
const moduleName = (file: string) =>
  basename(file)
    .replace(/\.ko(\.(xz|gz|zst))?$/, '')
    .replaceAll('-', '_');

/**
 * Decompresses what the guest's init loads from the modules tree `tree` (with depmod's files in it) into `into`. Returns
 * file names in load order, by purpose.
 */
export async function unpackBootModules(tree: string, into: string): Promise<Record<keyof typeof wanted, string[]>> {
  await mkdir(into);
  const dep = await readFile(join(tree, 'modules.dep'), 'utf8');
  const loads: Record<keyof typeof wanted, string[]> = { overlay: [], zram: [] };
  for (const purpose of Object.keys(wanted) as (keyof typeof wanted)[])
    for (const file of loadOrder(dep, wanted[purpose])) {
      const target = `${moduleName(file)}.ko`;
      await writeFile(join(into, target), await decompressed(join(tree, file)));
      loads[purpose].push(target);
    }
  return loads;
}

async function decompressed(file: string): Promise<Buffer> {
  if (file.endsWith('.xz')) return execute('xz', ['-dc', file]);
  if (file.endsWith('.ko')) return readFile(file);
  throw new Error(`${file}: neither plain nor xz`);
}
