import { appendFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build } from 'vite';
import { type LabOptions, runInLab } from '../../../src/lab/index.ts';

/** Which kernel `npm run test:kernel -- --kernel NAME` asked for. */
export const kernel = process.env.AGENTCGROUP_TEST_KERNEL ?? 'stock';

const repository = resolve(import.meta.dirname, '../../..');
/** As deep below the repository as the rooms are, so that what they find from their own place is found from here. */
const bundles = join(repository, 'node_modules/.agentcgroup-test/fixtures');

/**
 * The fixture with all it imports as one plain JavaScript file: an emulated CPU takes 20 s to strip the types of our sources
 * and read zod's, and 3 s to run this. Vite comes with vitest.
 */
async function bundle(fixture: string): Promise<string> {
  const name = `${fixture}-${process.pid}.mjs`;
  await build({
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: join(import.meta.dirname, 'fixtures', `${fixture}.ts`),
      outDir: bundles,
      emptyOutDir: false,
      target: 'node24',
      rollupOptions: { output: { entryFileNames: name } },
    },
    ssr: { noExternal: true },
  });
  return join(bundles, name);
}

/**
 * Boots that kernel once and runs a fixture script as root in it; what it printed, one JSON document. A boot is dear: a fixture
 * does many things and reports them all, the tests then look at them one by one.
 */
// biome-ignore lint/suspicious/noExplicitAny: the script's own report, taken apart by the expectations of its test
export async function report(fixture: string, options: Partial<LabOptions> = {}): Promise<Record<string, any>> {
  const script = await bundle(fixture);
  const guest = await runInLab({ argv: [process.execPath, script], kernel, timeoutMs: 240_000, ...options });
  await rm(script);
  if (guest.exitCode !== 0) {
    const end = `${fixture} ended with ${guest.exitCode ?? guest.signal}`;
    throw new Error(`${end}\n${guest.stderr}\n${guest.console.slice(-4000)}`);
  }
  // for `npm run test:kernel`, which prints a line per program and kernel
  const list = process.env.AGENTCGROUP_TEST_KERNELS;
  if (list) appendFileSync(list, `${fixture}\t${guest.guestKernel}\t${Math.round(guest.wallMs / 1000)}\n`);
  return JSON.parse(guest.stdout.toString());
}
