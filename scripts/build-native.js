#!/usr/bin/env node
/**
 * Builds the native layer into prebuilt/linux-<arch>/. Dependency-free; runs on Node 20.
 *
 *   agentcgroup.node      the N-API addon (g++, Node-API headers out of node_modules: no node-gyp, no download)
 *   agentcgroup-shell     the shim, static with musl: it starts three times faster than with a static glibc
 *   agentcgroup-enter     puts the shim in place for one session and becomes the agent
 *   agentcgroup-replay    stands for agents and their tool calls in experiments
 *
 * A target is up to date when its stamp (a hash of its sources, flags and compiler version) says so.
 * Usage: node scripts/build-native.js [--force] [TARGET...]
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const out = join(root, 'prebuilt', `linux-${process.arch}`);
const modules = join(root, 'node_modules');

const warnings = ['-Wall', '-Wextra', '-Werror=return-type'];
const cOnly = ['-Werror=implicit-function-declaration', '-Wstrict-prototypes', '-Wvla', '-Wno-format-truncation'];
const hardening = ['-fstack-protector-strong', '-D_FORTIFY_SOURCE=2', '-Wl,-z,relro,-z,now'];

/** Every C program is static, not position-independent (no relocation at start) and stripped: start-up time is its point. */
const program = (folders) => ({
  compiler: 'musl-gcc',
  apt: 'musl-tools',
  folders,
  flags: [
    '-std=c11',
    '-O2',
    '-static',
    '-no-pie',
    '-s',
    '-D_GNU_SOURCE',
    ...warnings,
    ...cOnly,
    '-fstack-protector-strong',
  ],
  includes: ['native'],
});

const targets = {
  'agentcgroup.node': {
    compiler: 'g++',
    apt: 'g++',
    folders: ['native/addon'],
    flags: [
      ...[
        '-std=c++17',
        '-O2',
        '-shared',
        '-fPIC',
        '-fno-exceptions',
        '-fno-rtti',
        '-fvisibility=hidden',
        '-s',
        '-pthread',
      ],
      ...['-static-libstdc++', '-static-libgcc', '-D_GNU_SOURCE', '-DNAPI_VERSION=9', '-DNAPI_DISABLE_CPP_EXCEPTIONS'],
      ...['-DNODE_ADDON_API_DISABLE_DEPRECATED', ...warnings, ...hardening],
    ],
    includes: ['native', 'node_modules/node-api-headers/include', 'node_modules/node-addon-api'],
    needs: ['node-api-headers', 'node-addon-api'],
  },
  'agentcgroup-shell': program(['native/shim']),
  'agentcgroup-enter': program(['native/enter']),
  'agentcgroup-replay': program(['native/replay']),
};

class BuildError extends Error {}

/** The compiler's own first line of --version, or a sentence saying which package brings it. */
function compilerVersion({ compiler, apt }) {
  const { error, status, stdout } = spawnSync(compiler, ['--version'], { encoding: 'utf8' });
  if (error?.code === 'ENOENT' || status !== 0)
    throw new BuildError(`${compiler} not found: apt-get install ${apt} (or run \`npm run setup\` as root)`);
  return stdout.split('\n', 1)[0];
}

/** Files below a folder whose name ends so, in a stable order. */
function filesIn(folder, pattern) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true })
    .map((name) => join(root, folder, name))
    .filter((path) => pattern.test(path))
    .sort();
}

function plan(name) {
  const target = targets[name];
  for (const module of target.needs ?? [])
    if (!existsSync(join(modules, module, 'package.json')))
      throw new BuildError(`node_modules/${module} not found: npm ci (or run \`npm run setup\`)`);
  const sources = target.folders.flatMap((folder) => filesIn(folder, /\.(c|cc|S)$/));
  const headers = [...target.folders, 'native/common'].flatMap((folder) => filesIn(folder, /\.h$/));
  const hash = createHash('sha256').update(JSON.stringify([compilerVersion(target), target.flags]));
  for (const module of target.needs ?? []) hash.update(readFileSync(join(modules, module, 'package.json')));
  for (const file of [...sources, ...headers]) hash.update(`\0${relative(root, file)}\0`).update(readFileSync(file));
  return { name, target, sources, stamp: hash.digest('hex') };
}

const stampOf = (name) => join(out, `.${name}.stamp`);
const upToDate = ({ name, stamp }) =>
  existsSync(join(out, name)) && existsSync(stampOf(name)) && readFileSync(stampOf(name), 'utf8') === stamp;

/** Compiles and links in one go, to a temporary name: whoever runs the old file keeps it, and no half-written one is seen. */
async function build({ name, target, sources, stamp }) {
  const started = Date.now();
  const temporary = join(out, `.${name}.${process.pid}`);
  const includes = target.includes.map((path) => `-I${join(root, path)}`);
  const args = [...target.flags, ...includes, '-o', temporary, ...sources];
  const child = spawn(target.compiler, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  const status = await new Promise((done) => child.on('close', done).on('error', () => done(-1)));
  if (status !== 0) {
    rmSync(temporary, { force: true });
    throw new BuildError(`${name}: ${target.compiler} failed (status ${status}); its words are above`);
  }
  renameSync(temporary, join(out, name));
  writeFileSync(stampOf(name), stamp);
  console.log(`native: built ${name} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

async function main(args) {
  const force = args.includes('--force');
  const wanted = args.filter((arg) => arg !== '--force');
  for (const name of wanted)
    if (!(name in targets)) throw new BuildError(`no target ${name}; there are: ${Object.keys(targets).join(', ')}`);
  mkdirSync(out, { recursive: true });
  const plans = (wanted.length > 0 ? wanted : Object.keys(targets))
    .map(plan)
    .filter(({ sources }) => sources.length > 0);
  const stale = plans.filter((p) => force || !upToDate(p));
  if (stale.length === 0) return console.log('native: up to date');
  const results = await Promise.allSettled(stale.map(build));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(`native: ${error.message}`);
  process.exitCode = 1;
}
