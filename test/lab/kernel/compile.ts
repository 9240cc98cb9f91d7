import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const repository = resolve(import.meta.dirname, '../../..');

/** Compiles fixtures/NAME.bpf.c as the product's own programs are, to a place the guest can read (its /tmp is its own). */
export function compileObject(name: string): string {
  const folder = join(repository, 'node_modules/.agentcgroup-test');
  mkdirSync(folder, { recursive: true });
  const out = join(folder, `${name}-${process.pid}.bpf.o`);
  const source = join(import.meta.dirname, 'fixtures', `${name}.bpf.c`);
  const { status, stderr } = spawnSync(process.execPath, ['scripts/build-bpf.js', '--object', source, out], {
    cwd: repository,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return out;
}
