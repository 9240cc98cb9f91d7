// TypeScript to JavaScript in dist/, for the published package and for the lab's guests, where starting from the sources is slow.
import { spawnSync } from 'node:child_process';
import { cpSync, renameSync, rmSync } from 'node:fs';

const fresh = `dist.${process.pid}`;
const args = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', fresh];
const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
if (status !== 0) {
  rmSync(fresh, { recursive: true, force: true });
  process.exit(status ?? 1);
}
// what the sources read at run time stands beside them: the lab's C programs and package list, data of the studies
cpSync('src', fresh, { recursive: true, filter: (path) => !/\.tsx?$/.test(path) });
rmSync('dist', { recursive: true, force: true });
renameSync(fresh, 'dist');
