// The published package: TypeScript compiled to dist/, native programs and BPF objects in prebuilt/.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';

const steps = [
  ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'],
  ['scripts/build-native.js'],
  ['scripts/build-bpf.js'],
];
rmSync('dist', { recursive: true, force: true });
for (const args of steps) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
