// TypeScript to JavaScript in dist/, for the published package and for the lab's guests, where starting from the sources is slow.
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'vite';

const fresh = `dist.${process.pid}`;
const args = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', fresh];
const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
if (status !== 0) {
  rmSync(fresh, { recursive: true, force: true });
  process.exit(status ?? 1);
}
// what the sources read at run time stands beside them: the lab's C programs and package list, data of the studies
cpSync('src', fresh, { recursive: true, filter: (path) => !/\.tsx?$/.test(path) });
await bundleForLab(join(fresh, 'cli'));
rmSync('dist', { recursive: true, force: true });
renameSync(fresh, 'dist');
keepCompiled('dist/cli/lab');

/**
 * The program with its libraries in few files: in a guest, opening a module costs more than compiling it, and the daemon and
 * its libraries are four hundred. Stands three folders deep, as the modules do that look for the package's other files.
 */
async function bundleForLab(cli) {
  await build({
    configFile: false,
    logLevel: 'warn',
    // what has native parts or is large, and what a guest's commands load on special request only, stays where it is
    ssr: { noExternal: true, external: ['@duckdb/node-api', '@fastify/swagger', 'echarts', 'yaml'] },
    build: {
      ssr: join(cli, 'main.js'),
      outDir: join(cli, 'lab'),
      target: 'node24',
      minify: false,
      reportCompressedSize: false,
      rollupOptions: { output: { entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' } },
    },
  });
  // read from beside the module that needs them, which is a chunk here
  for (const list of ['packages.json', 'kernel-packages.json']) cpSync(join('src/lab', list), join(cli, 'lab', list));
}

/** Has the code of what a demo starts compiled, into the cache that bin/agentcgroup.js uses, which guests can read. */
function keepCompiled(folder) {
  const started = /^(main|run|daemon|demo|agent|rounds|pino)\b.*\.js$/;
  const files = readdirSync(folder).filter((name) => started.test(name) && name !== 'main.js');
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'agentcgroup/compiled');
  const script = `require('node:module').enableCompileCache(${JSON.stringify(cache)});
    for (const file of ${JSON.stringify(files.map((name) => resolve(folder, name)))}) import(file);`;
  spawnSync(process.execPath, ['-e', script], { stdio: 'inherit' });
}
