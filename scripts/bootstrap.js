// Everything a fresh clone needs, in JavaScript that Node 20 runs without any dependency: npm packages, OS packages, the
// native build, the BPF objects, the lab kernel. Each step says whether it has work and how long that took; done work is skipped.
//   node scripts/bootstrap.js [--then COMMAND ARGS...]   COMMAND runs afterwards with the project's own Node first on PATH.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..');
const bin = join(root, 'node_modules/.bin');
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'agentcgroup');
const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };

class Failure extends Error {
  constructor(message, remedy) {
    super(message);
    this.remedy = remedy;
  }
}

function run(command, args, remedy, options = {}) {
  const r = spawnSync(command, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'], ...options });
  if (r.error) throw new Failure(`${command}: ${r.error.message}`, remedy);
  if (r.status !== 0) throw new Failure(`${command} ${args.join(' ')} ended with ${r.signal ?? r.status}`, remedy);
}

/** A package that this release of Debian does not have is part of another one there. */
function hasCandidate(name) {
  const { stdout } = spawnSync('apt-cache', ['policy', name], { encoding: 'utf8', env: { ...env, LC_ALL: 'C' } });
  return /Candidate: (?!\(none\))/.test(stdout ?? '');
}

/** A hash of the files below some folders, to tell whether what was built from them is still theirs. */
function hashOf(paths) {
  const hash = createHash('sha256');
  const add = (path) => {
    if (statSync(path).isDirectory()) for (const name of readdirSync(path).sort()) add(join(path, name));
    else hash.update(`\0${path}\0`).update(readFileSync(path));
  };
  for (const path of paths) add(join(root, path));
  return hash.digest('hex');
}

/**
 * A step that builds: done when it was done from these very sources. `dated`: what others compare with the sources by its
 * time, which a checkout moves without a change.
 */
function building(name, sources, script, dated) {
  const stamp = join(root, 'prebuilt', `.${name.replace(' ', '-')}`);
  return {
    name,
    ready() {
      const current = existsSync(stamp) && readFileSync(stamp, 'utf8') === hashOf(sources);
      if (current && dated && existsSync(join(root, dated))) utimesSync(join(root, dated), new Date(), new Date());
      return current;
    },
    work() {
      run('node', [script], 'the compiler says why, above');
      mkdirSync(join(root, 'prebuilt'), { recursive: true });
      writeFileSync(stamp, hashOf(sources));
    },
  };
}

const readJson = (path) => JSON.parse(readFileSync(join(root, path), 'utf8'));

/** A step is { name, ready(): boolean, work(): void }. `ready` must be quick: it runs at every start. */
const steps = [
  {
    name: 'npm packages',
    stamp: join(root, 'node_modules/.agentcgroup-lock'),
    lock: () =>
      createHash('sha256')
        .update(readFileSync(join(root, 'package-lock.json')))
        .digest('hex'),
    ready() {
      return (
        existsSync(this.stamp) && readFileSync(this.stamp, 'utf8') === this.lock() && existsSync(join(bin, 'node'))
      );
    },
    work() {
      // not `npm ci`: it refuses a lock file without the packages of other platforms, which not every registry has
      const install = ['install', '--no-save', '--no-fund', '--no-audit', '--loglevel=error'];
      run('npm', install, 'check that npm reaches its registry (`npm ping`)');
      // npm may be set not to run install scripts; the package `node` links its binary in one.
      if (!existsSync(join(root, 'node_modules/node/bin/node')))
        run(process.execPath, ['installArchSpecificPackage.js'], 'allow the install script of the package `node`', {
          cwd: join(root, 'node_modules/node'),
        });
      writeFileSync(this.stamp, this.lock());
    },
  },
  {
    name: 'OS packages',
    missing: () =>
      [...readJson('scripts/packages.json'), ...readJson('src/lab/packages.json')]
        .filter((p) => ![p.probe].flat().some((file) => existsSync(file)))
        .map((p) => p.package)
        .filter((name, i, all) => all.indexOf(name) === i),
    ready() {
      return this.missing().length === 0;
    },
    work() {
      const missing = this.missing().join(' ');
      if (process.getuid() !== 0)
        throw new Failure(`missing: ${missing}`, `install them: sudo apt-get install ${missing}`);
      const quiet = { stdio: ['ignore', 'ignore', 'inherit'], env: { ...env, DEBIAN_FRONTEND: 'noninteractive' } };
      const remedy = 'check /etc/apt/sources.list and the network, then try again';
      run('apt-get', ['-qq', 'update'], remedy, quiet);
      const wanted = this.missing().filter(hasCandidate);
      run('apt-get', ['-qq', 'install', '-y', '--no-install-recommends', ...wanted], remedy, quiet);
    },
  },
  building('native build', ['native', 'scripts/build-native.js'], 'scripts/build-native.js'),
  building(
    'compiled sources',
    ['src', 'tsconfig.json', 'tsconfig.build.json', 'scripts/build-dist.js'],
    'scripts/build-dist.js',
    'dist/cli/lab/main.js',
  ),
  building('BPF objects', ['bpf', 'native/bpf', 'scripts/build-bpf.js', 'scripts/debian.js'], 'scripts/build-bpf.js'),
  {
    name: 'lab kernel',
    ready: () =>
      existsSync(join(cache, 'kernels')) && readdirSync(join(cache, 'kernels')).some((k) => k.startsWith('stock')),
    work: () =>
      run(
        'node',
        ['bin/agentcgroup.js', 'lab', 'kernel', 'fetch'],
        'it needs the Debian mirror once; see the error above',
      ),
  },
];

function bootstrap() {
  const begin = Date.now();
  const seconds = (from) => `${((Date.now() - from) / 1000).toFixed(1)} s`;
  for (const step of steps) {
    if (step.ready()) continue;
    const from = Date.now();
    process.stderr.write(`bootstrap: ${step.name} ...\n`);
    try {
      step.work();
    } catch (error) {
      process.stderr.write(`bootstrap: ${step.name} failed: ${error.message}\n`);
      process.stderr.write(`bootstrap: what to do: ${error.remedy ?? 'report this, with the text above'}\n`);
      process.exit(69);
    }
    process.stderr.write(`bootstrap: ${step.name} done in ${seconds(from)}\n`);
  }
  process.stderr.write(`bootstrap: ready in ${seconds(begin)}\n`);
}

bootstrap();
const then = process.argv.indexOf('--then');
if (then > 0) {
  const [command, ...args] = process.argv.slice(then + 1);
  // a fresh look-up: PATH now has the Node that the first step brought
  const r = spawnSync(command, args, { cwd: root, env, stdio: 'inherit' });
  if (r.signal) process.kill(process.pid, r.signal);
  process.exit(r.status ?? 1);
}
