import { createHash } from 'node:crypto';
import { existsSync, renameSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from './cache.ts';
import { execute } from './execute.ts';
import { requirePackages } from './packages.ts';

/**
 * The path of one of the lab's own C programs (`guest-init`, `tether`), static because it runs in the bare guest. Built
 * on first use and kept in the cache under the hash of its source, so a new release never runs an old one.
 */
export async function labProgram(name: 'guest-init' | 'tether'): Promise<string> {
  const source = new URL(`./${name}.c`, import.meta.url).pathname;
  const hash = createHash('sha256')
    .update(await readFile(source))
    .digest('hex');
  const folder = cacheFolder('lab', 'programs');
  const program = join(folder, `${name}-${hash.slice(0, 16)}`);
  if (existsSync(program)) return program;
  const { gcc } = requirePackages(['gcc', 'libc6-dev']);
  const work = await mkdtemp(join(folder, '.new-'));
  try {
    await execute(gcc, ['-static', '-O2', '-Wall', '-Werror', '-o', join(work, name), source]);
    renameSync(join(work, name), program);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return program;
}
