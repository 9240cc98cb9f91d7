import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where everything that can be made again is kept: `${XDG_CACHE_HOME:-~/.cache}/agentcgroup`, and `parts` below it. Creates the folder. */
export function cacheFolder(...parts: string[]): string {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const folder = resolve(base, 'agentcgroup', ...parts);
  mkdirSync(folder, { recursive: true });
  return folder;
}
