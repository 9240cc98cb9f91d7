// All of the published package: dist/ and prebuilt/.
import { spawnSync } from 'node:child_process';

for (const script of ['scripts/build-dist.js', 'scripts/build-native.js', 'scripts/build-bpf.js']) {
  const { status } = spawnSync(process.execPath, [script], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
