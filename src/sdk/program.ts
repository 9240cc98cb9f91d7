import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { AcgError } from '../model/index.ts';

/** The program a name means, as execvp(3) would find it: with a slash a path, else the first on PATH. Throws ACG_BAD_REQUEST. */
export function findProgram(name: string, env: NodeJS.ProcessEnv, cwd: string): string {
  if (name.includes('/')) return resolve(cwd, name);
  for (const folder of (env.PATH ?? '/usr/local/bin:/usr/bin:/bin').split(':')) {
    const path = resolve(cwd, folder, name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // not here
    }
  }
  throw new AcgError('ACG_BAD_REQUEST', `no program ${JSON.stringify(name)} on PATH`);
}
