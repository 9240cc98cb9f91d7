// The published package: TypeScript compiled to dist/, what the sources read at run time beside it, native programs and BPF
// objects in prebuilt/.
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
for (const args of [
  ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'],
  ['scripts/build-native.js'],
  ['scripts/build-bpf.js'],
]) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
// everything below src/ that is no TypeScript: the lab's C programs and package list, data and templates of the studies
cpSync('src', 'dist', { recursive: true, filter: (path) => !/\.tsx?$/.test(path) });
