import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Agent } from './catalog.ts';

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'agentcgroup/agents');
const LIMIT_MS = 600_000;

export type Installed = { program: string } | { missing: string };

/**
 * Installs an agent from the npm registry into the cache, once per version. It is no dependency of this project: tests
 * that need one say why they are skipped when it cannot be had. An agent is put in place whole or not at all.
 */
export function installAgent(agent: Agent): Installed {
  const folder = join(cache, `${agent.name}-${agent.version}`);
  const program = join(folder, 'node_modules/.bin', agent.bin);
  if (existsSync(program)) return { program };
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(join(cache, `.${agent.name}-`));
  const run = (file: string, args: string[]) =>
    spawnSync(file, args, { cwd: fresh, encoding: 'utf8', timeout: LIMIT_MS, maxBuffer: 2 ** 24 });
  try {
    writeFileSync(join(fresh, 'package.json'), '{"private": true}');
    const wanted = `${agent.package}@${agent.version}`;
    const npm = run('npm', [
      'install',
      '--ignore-scripts',
      '--no-fund',
      '--no-audit',
      '--fetch-retries=1',
      '--fetch-timeout=60000',
      wanted,
    ]);
    if (npm.status !== 0) return { missing: `npm install ${wanted}: ${lastLines(npm.stderr)}` };
    if (agent.finish) {
      const finish = run(process.execPath, [join('node_modules', agent.package, agent.finish)]);
      if (finish.status !== 0) return { missing: `${wanted}: ${agent.finish}: ${lastLines(finish.stderr)}` };
    }
    try {
      renameSync(fresh, folder);
    } catch (error) {
      // another run was quicker
      if (!existsSync(program)) throw error;
    }
    return { program };
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' | ');
}
