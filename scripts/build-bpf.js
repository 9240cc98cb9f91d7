#!/usr/bin/env node
/**
 * Builds what runs in the kernel and what loads it. Dependency-free; runs on Node 20. No kernel, BTF or root is needed.
 *
 *   prebuilt/bpf/NAME.bpf.o                       from bpf/NAME.bpf.c (clang >= 16); the same for every kernel (CO-RE)
 *   prebuilt/linux-<arch>/agentcgroup-bpf.node    the N-API addon (g++) with libbpf, libelf and zlib linked in
 *
 * libbpf (headers and archive) comes from Debian's backports, not from the system: bookworm's own is too old for
 * struct_ops links. A target is up to date when its stamp (a hash of sources, flags and compiler) says so.
 * Usage: node scripts/build-bpf.js [--force]
 *        node scripts/build-bpf.js --object SOURCE OUT    one object with the same flags, for tests
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unpackedPackages } from './debian.js';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const objects = join(root, 'prebuilt/bpf');
const addons = join(root, 'prebuilt', `linux-${process.arch}`);
const force = process.argv.includes('--force');

class BuildError extends Error {}

const output = (command, args) => {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', cwd: root });
  return { ok: !error && status === 0, stdout: stdout ?? '', stderr: stderr ?? error?.message ?? '' };
};

/** The newest clang that can: 16 brought the BTF and the atomics we rely on. */
function findClang() {
  for (const name of [
    process.env.CLANG,
    'clang-19',
    'clang',
    'clang-21',
    'clang-20',
    'clang-18',
    'clang-17',
    'clang-16',
  ]) {
    if (!name) continue;
    const { ok, stdout } = output(name, ['--version']);
    const version = /clang version (\d+)\S*/.exec(stdout);
    if (ok && version && Number(version[1]) >= 16) return { clang: name, version: version[0] };
  }
  throw new BuildError('no clang >= 16: apt-get install clang-19 (or run `npm run setup` as root)');
}

/** Debian 12's own C library is the oldest we serve, so its packages are the ones to link in; see native/bpf/README.md. */
function libraries() {
  const given = process.env.AGENTCGROUP_LIBBPF_ROOT;
  const folder =
    given ??
    unpackedPackages('libbpf', ['libbpf-dev/bookworm-backports', 'libelf-dev/bookworm', 'zlib1g-dev/bookworm']);
  const triplet = readdirSync(join(folder, 'usr/lib')).find((f) => existsSync(join(folder, 'usr/lib', f, 'libbpf.a')));
  if (!triplet) throw new BuildError(`no libbpf.a below ${folder}/usr/lib`);
  const version = readFileSync(join(folder, 'usr/include/bpf/libbpf_version.h'), 'utf8').match(/_VERSION (\d+)/g);
  const [major, minor] = version.map((v) => Number(v.split(' ')[1]));
  if (major < 1 || (major === 1 && minor < 4))
    throw new BuildError(`libbpf ${major}.${minor} in ${folder}: 1.4 or newer is needed`);
  return { include: join(folder, 'usr/include'), lib: join(folder, 'usr/lib', triplet), version: `${major}.${minor}` };
}

const filesIn = (folder, pattern) =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder))
        .filter((f) => pattern.test(f))
        .sort()
        .map((f) => join(root, folder, f))
    : [];

/** Runs `make(temporary)` unless the stamp beside `target` equals the hash of everything the target is made from. */
function target(path, files, words, make) {
  const hash = createHash('sha256').update(JSON.stringify(words));
  for (const file of files) hash.update(`\0${basename(file)}\0`).update(readFileSync(file));
  const stamp = hash.digest('hex');
  const stampFile = join(path, '..', `.${basename(path)}.stamp`);
  if (!force && existsSync(path) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return false;
  const started = Date.now();
  mkdirSync(join(path, '..'), { recursive: true });
  const temporary = join(path, '..', `.${basename(path)}.${process.pid}`);
  try {
    make(temporary);
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true, recursive: true });
  }
  writeFileSync(stampFile, stamp);
  console.log(`bpf: built ${basename(path)} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return true;
}

function compile(command, args, what) {
  const { ok, stdout, stderr } = output(command, args);
  if (!ok) throw new BuildError(`${what}: ${command} failed\n${stdout}${stderr}`);
  if (stderr) process.stderr.write(stderr);
}

/** BPF's own idea of the machine: what bpf_tracing.h needs to find arguments in registers. */
const targetArch = {
  x64: 'x86',
  arm64: 'arm64',
  riscv64: 'riscv',
  s390x: 's390',
  ppc64: 'powerpc',
  loong64: 'loongarch',
};

/** Warnings are errors; those switched off are about what BPF programs do by nature. */
const warnings = ['-Wall', '-Wextra', '-Werror', '-Wno-unused-parameter', '-Wno-missing-declarations'];

function objectCompiler({ include, version }) {
  const { clang, version: clangVersion } = findClang();
  const arch = `-D__TARGET_ARCH_${targetArch[process.arch]}`;
  const flags = ['-O2', '-g', '-target', 'bpf', '-mcpu=v3', arch, '-std=gnu11', ...warnings];
  // libbpf's headers are not ours to lint
  const folders = ['-isystem', include, `-I${join(root, 'bpf')}`];
  return {
    words: [flags, clangVersion, version],
    compile: (source, out) => compile(clang, [...flags, ...folders, '-c', source, '-o', out], basename(source)),
  };
}

function buildObjects(libraries) {
  const compiler = objectCompiler(libraries);
  const headers = filesIn('bpf', /\.h$/);
  return filesIn('bpf', /\.bpf\.c$/).map((source) =>
    target(join(objects, basename(source).replace(/c$/, 'o')), [source, ...headers], compiler.words, (out) =>
      compiler.compile(source, out),
    ),
  );
}

function buildAddon({ include, lib, version }) {
  const sources = filesIn('native/bpf', /\.(cc|c)$/);
  if (sources.length === 0) return [];
  const compiler = output('g++', ['--version']);
  if (!compiler.ok) throw new BuildError('g++ not found: apt-get install g++ (or run `npm run setup` as root)');
  const flags = [
    ...[
      '-std=c++20',
      '-O2',
      '-shared',
      '-fPIC',
      '-fvisibility=hidden',
      '-s',
      '-pthread',
      '-static-libstdc++',
      '-static-libgcc',
    ],
    ...['-D_GNU_SOURCE', '-DNAPI_VERSION=9', '-DNAPI_CPP_EXCEPTIONS', '-DNODE_ADDON_API_DISABLE_DEPRECATED'],
    ...[
      '-Wall',
      '-Wextra',
      '-fstack-protector-strong',
      '-D_FORTIFY_SOURCE=2',
      '-Wl,-z,relro,-z,now',
      '-Wl,--exclude-libs,ALL',
    ],
  ];
  const headers = filesIn('native/bpf', /\.h$/);
  const words = [flags, compiler.stdout.split('\n', 1)[0], version];
  return [
    target(join(addons, 'agentcgroup-bpf.node'), [...sources, ...headers], words, (out) => {
      const work = `${out}.d`;
      mkdirSync(work);
      try {
        // Debian's archives are built for executables (-fPIE). Two things in them cannot go into a shared object:
        // libbpf's direct use of stderr, which is renamed here, and libelf's thread-local error number, whose file
        // native/bpf/libelf-error.c stands in for. The linker would refuse anything else of the kind.
        const libbpf = join(work, 'libbpf.a');
        compile('objcopy', ['--redefine-sym', 'stderr=agentcgroup_stderr', join(lib, 'libbpf.a'), libbpf], 'libbpf.a');
        const modules = ['node-api-headers/include', 'node-addon-api'].map((m) => `-I${join(root, 'node_modules', m)}`);
        const c = sources.filter((s) => s.endsWith('.c'));
        const cObjects = c.map((s) => join(work, `${basename(s)}.o`));
        for (const [i, source] of c.entries())
          compile(
            'gcc',
            ['-std=c11', '-O2', '-fPIC', '-fvisibility=hidden', '-Wall', '-Wextra', '-c', source, '-o', cObjects[i]],
            basename(source),
          );
        compile(
          'g++',
          [
            ...[
              ...flags,
              ...modules,
              '-isystem',
              include,
              '-o',
              out,
              ...sources.filter((s) => s.endsWith('.cc')),
              ...cObjects,
            ],
            ...[libbpf, join(lib, 'libelf.a'), join(lib, 'libz.a')],
          ],
          'agentcgroup-bpf.node',
        );
      } finally {
        rmSync(work, { recursive: true, force: true });
      }
    }),
  ];
}

try {
  const found = libraries();
  const one = process.argv.indexOf('--object');
  if (one > 0) {
    objectCompiler(found).compile(...process.argv.slice(one + 1, one + 3).map((path) => resolve(path)));
    process.exit(0);
  }
  const built = [...buildObjects(found), ...buildAddon(found)];
  if (!built.some(Boolean)) console.log('bpf: up to date');
} catch (error) {
  console.error(`bpf: ${error instanceof BuildError ? error.message : error.stack}`);
  process.exit(1);
}
