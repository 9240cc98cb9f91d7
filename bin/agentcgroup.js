#!/usr/bin/env node
// Finds the program: the TypeScript sources in a checkout, dist/ in the published package.
import { existsSync, readdirSync, statSync } from 'node:fs';
import module from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

const major = Number(process.versions.node.split('.')[0]);
const sources = new URL('../src/cli/main.ts', import.meta.url);
const built = new URL('../dist/cli/main.js', import.meta.url);
const bundled = new URL('../dist/cli/lab/main.js', import.meta.url);
const checkout = existsSync(sources);

/** Newest change of the files below a folder, milliseconds. */
function changed(folder) {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile());
  return Math.max(...entries.map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs));
}

/**
 * In a guest of the lab, where compiling takes seconds, what is built is used, unless the sources are newer. To find that out
 * takes a while there: what the first process finds, its children are told.
 */
function program() {
  if (!checkout) return built;
  if (!process.env.AGENTCGROUP_LAB || !existsSync(bundled)) return sources;
  process.env.AGENTCGROUP_BUILT ??= String(
    statSync(bundled).mtimeMs >= changed(new URL('../src', import.meta.url).pathname),
  );
  return process.env.AGENTCGROUP_BUILT === 'true' ? bundled : sources;
}

if (major >= 24) {
  // compiled code is kept between starts: they take half the time
  module.enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'agentcgroup/compiled'));
  await import(program().href);
} else {
  // A checkout brings its own Node (the development dependency `node`), so `npx agentcgroup` works beside an older one.
  const own = new URL('../node_modules/node/bin/node', import.meta.url);
  if (!checkout || !existsSync(own)) {
    process.stderr.write(
      `ACG_NODE_TOO_OLD: agentcgroup needs Node.js 24 or newer, this is ${process.version}. ` +
        `${checkout ? 'Run `npm run setup` first.' : 'Install a newer Node.js.'}\n`,
    );
    process.exit(69);
  }
  const { spawn } = await import('node:child_process');
  const child = spawn(own.pathname, [process.argv[1], ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const s of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(s, () => child.kill(s));
  child.on('exit', (code, signal) => (signal ? process.kill(process.pid, signal) : process.exit(code ?? 1)));
}
