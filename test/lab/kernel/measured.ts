import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { type LabOptions, runInLab } from '../../../src/lab/index.ts';

const repository = resolve(import.meta.dirname, '../../..');
const scheduler = join(repository, 'prebuilt/bpf/scheduler.bpf.o');

/** Numbers of one measurement, by name. */
export type Numbers = Record<string, number>;

export interface Measured {
  first: (check: string) => Numbers;
  all: (check: string) => Numbers[];
  output: string;
  /** What the kernel said. */
  console: string;
}

/**
 * Compiles guest/NAME.c. C, because Node on an emulated CPU disturbs what is measured; with the libbpf the addon is built
 * from, so the programs are loaded as the product loads them.
 */
async function compile(name: string): Promise<string> {
  const { unpackedPackages } = (await import(pathToFileURL(join(repository, 'scripts/debian.js')).href)) as {
    unpackedPackages: (name: string, packages: string[]) => string;
  };
  const root =
    process.env.AGENTCGROUP_LIBBPF_ROOT ??
    unpackedPackages('libbpf', ['libbpf-dev/bookworm-backports', 'libelf-dev/bookworm', 'zlib1g-dev/bookworm']);
  const folder = join(repository, 'node_modules/.agentcgroup-test');
  mkdirSync(folder, { recursive: true });
  const program = join(folder, `${name}-${process.pid}`);
  const lib = join(root, 'usr/lib', `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`);
  await promisify(execFile)('gcc', [
    ...['-O2', '-g', '-pthread', '-Wall', '-Wextra', '-Werror', '-Wno-unused-function', '-Wno-unused-parameter'],
    ...[`-I${join(root, 'usr/include')}`, join(import.meta.dirname, 'guest', `${name}.c`), '-o', program],
    ...[join(lib, 'libbpf.a'), join(lib, 'libelf.a'), join(lib, 'libz.a'), '-lm'],
  ]);
  return program;
}

/**
 * Runs guest/NAME.c's checks in one boot of the stock kernel, by a clock that counts instructions: how busy the host is does
 * not matter. It is given the path of `object`, by default the scheduler's. Each of its lines "CHECK key=number ..." is one measurement; checks that print several are lists of them.
 */
export async function measure(
  name: string,
  words: readonly string[] = [],
  { object = scheduler, ...options }: Partial<LabOptions> & { object?: string } = {},
): Promise<Measured> {
  const argv = [await compile(name), object, ...words];
  const guest = await runInLab({
    argv,
    kernel: process.env.AGENTCGROUP_TEST_KERNEL ?? 'stock',
    deterministic: true,
    timeoutMs: 560_000,
    memoryBytes: 3 * 2 ** 30,
    ...options,
  });
  const output = guest.stdout.toString();
  if (guest.exitCode !== 0)
    throw new Error(`${name}: ${guest.exitCode ?? guest.signal}\n${output}\n${guest.console.slice(-4000)}`);
  const found = new Map<string, Numbers[]>();
  for (const line of output.split('\n')) {
    const [check, ...pairs] = line.split(' ');
    if (!check || check === '#' || pairs.length === 0) continue;
    const numbers = Object.fromEntries(
      pairs.map((pair) => pair.split('=')).map(([key, value]) => [key, Number(value)]),
    );
    found.set(check, [...(found.get(check) ?? []), numbers]);
  }
  const all = (check: string) => {
    const list = found.get(check);
    if (!list) throw new Error(`${name} did not measure ${check}:\n${output}`);
    return list;
  };
  return { first: (check) => all(check)[0]!, all, output, console: guest.console };
}
