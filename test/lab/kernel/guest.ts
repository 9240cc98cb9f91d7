import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { build } from 'vite';
import { type LabOptions, runInLab } from '../../../src/lab/index.ts';
import { complaints } from './complaints.ts';

/** Which kernel `npm run test:kernel -- --kernel NAME` asked for. */
export const kernel = process.env.AGENTCGROUP_TEST_KERNEL ?? 'stock';

const repository = resolve(import.meta.dirname, '../../..');
/** As deep below the repository as the rooms are, so that what they find from their own place is found from here. */
const bundles = join(repository, 'node_modules/.agentcgroup-test/fixtures');

/**
 * A script with all it imports as one plain JavaScript file: an emulated CPU takes 20 s to strip the types of our sources and
 * read zod's, and 3 s to run this. Vite comes with vitest.
 */
export async function bundle(script: string, name: string): Promise<string> {
  const file = `${name}-${process.pid}.mjs`;
  await build({
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: script,
      outDir: bundles,
      emptyOutDir: false,
      target: 'node24',
      rollupOptions: { output: { entryFileNames: file } },
    },
    ssr: { noExternal: true },
  });
  return join(bundles, file);
}

/** Runs a bundle as root in a guest and removes it. What it printed, one JSON document. */
export async function runBundle(script: string, options: Partial<LabOptions>) {
  const guest = await runInLab({ argv: [process.execPath, script], kernel, timeoutMs: 480_000, ...options });
  await rm(script);
  if (guest.exitCode !== 0) {
    const end = `${basename(script)} ended with ${guest.exitCode ?? guest.signal}`;
    throw new Error(`${end}\n${guest.stderr}\n${guest.console.slice(-4000)}`);
  }
  if (options.kernel?.startsWith('memcg-bpf')) {
    const said = complaints(guest.console);
    if (said.length > 0) throw new Error(`${basename(script)}: the kernel complained\n${said.join('\n')}`);
  }
  // biome-ignore lint/suspicious/noExplicitAny: the script's own report, taken apart by who asked for it
  const report: Record<string, any> = JSON.parse(guest.stdout.toString());
  return { report, guestKernel: guest.guestKernel, wallMs: guest.wallMs };
}

/** Boots that kernel once and runs a fixture in it. A boot is dear: a fixture does many things, the tests look at them one by one. */
export async function report(fixture: string, options: Partial<LabOptions> = {}) {
  const script = await bundle(join(import.meta.dirname, 'fixtures', `${fixture}.ts`), fixture);
  const { report, guestKernel, wallMs } = await runBundle(script, options);
  // for `npm run test:kernel`, which prints a line per program and kernel
  const list = process.env.AGENTCGROUP_TEST_KERNELS;
  if (list) appendFileSync(list, `${fixture}\t${guestKernel}\t${Math.round(wallMs / 1000)}\n`);
  return report;
}

/** Boots that kernel once and runs a fixture of ../fixtures in it that has a daemon and calls; they grow by ../../fixtures/grow.c. */
export async function daemonReport(fixture: string, options: Partial<LabOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'acg-grow-'));
  try {
    const grow = join(folder, 'grow');
    execFileSync('gcc', ['-O2', '-static', '-o', grow, resolve(import.meta.dirname, '../../fixtures/grow.c')]);
    const script = await bundle(resolve(import.meta.dirname, `../fixtures/${fixture}.ts`), fixture);
    return (await runBundle(script, { argv: [process.execPath, script, grow], timeoutMs: 400_000, ...options })).report;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
