import { createHash } from 'node:crypto';
import { existsSync, renameSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from './cache.ts';
import { execute } from './execute.ts';
import { requirePackages } from './packages.ts';

/**
 * The path of one of the lab's own C programs (a folder each), static because it runs in the bare guest. Built on first use
 * and kept in the cache under the hash of its sources, so a new release never runs an old one.
 */
export async function labProgram(name: 'guest-init' | 'tether'): Promise<string> {
  const sources = new URL(`./${name}/`, import.meta.url).pathname;
  const files = (await readdir(sources)).sort();
  const hash = createHash('sha256');
  for (const file of files) hash.update(`\0${file}\0`).update(await readFile(join(sources, file)));
  const folder = cacheFolder('lab', 'programs');
  const program = join(folder, `${name}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(program)) return program;
  const { gcc } = requirePackages(['gcc', 'libc6-dev']);
  const work = await mkdtemp(join(folder, '.new-'));
  try {
    const units = files.filter((file) => file.endsWith('.c')).map((file) => join(sources, file));
    await execute(gcc, ['-static', '-O2', '-Wall', '-Werror', '-o', join(work, name), ...units]);
    renameSync(join(work, name), program);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return program;
}
