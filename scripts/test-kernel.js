/*
 * `npm run test:kernel [-- --kernel NAME] [--unless-tested] [PROGRAM...]`: the BPF programs in the lab, one line per program and kernel.
 * When every test has passed on memcg-bpf, kernel/tested names the series; --unless-tested: nothing to do while that is the present one.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { readSeries } from '../src/lab/index.ts';

const args = process.argv.slice(2);
const at = args.indexOf('--kernel');
const kernel = at >= 0 ? args.splice(at, 2)[1] : 'stock';
const flag = args.indexOf('--unless-tested');
const unlessTested = flag >= 0 && args.splice(flag, 1).length > 0;
if (!kernel || args.some((arg) => arg.startsWith('-'))) {
  process.stderr.write('usage: npm run test:kernel [-- --kernel NAME] [--unless-tested] [PROGRAM...]\n');
  process.exit(64);
}
const { recipe } = await readSeries(false);
const tested = 'kernel/tested';
if (unlessTested && existsSync(tested) && readFileSync(tested, 'utf8').trim() === recipe) {
  process.stdout.write(`nothing to do: the series ${recipe} has passed (${tested})\n`);
  process.exit(0);
}
const files = args.length > 0 ? args.map((program) => `test/lab/kernel/${program}.test.ts`) : ['test/lab/kernel/'];

// before the tests, which have a limit of minutes each
if (kernel.startsWith('memcg-bpf')) {
  const flags = kernel.endsWith('-debug') ? ['--debug'] : [];
  const built = spawnSync('node', ['bin/agentcgroup.js', 'lab', 'kernel', 'build', ...flags], {
    stdio: ['ignore', process.stderr, 'inherit'],
  });
  if (built.status !== 0) process.exit(built.status ?? 1);
}

const dir = mkdtempSync(join(tmpdir(), 'agentcgroup-test-kernel-'));
const report = join(dir, 'report.json');
const kernels = join(dir, 'kernels');
const reporters = ['--reporter=json', `--outputFile=${report}`, '--reporter=default'];
const { status } = spawnSync(
  'node',
  ['node_modules/vitest/vitest.mjs', 'run', '--project', 'kernel', ...reporters, ...files],
  {
    // what each test did goes to stderr, so that stdout is the lines
    stdio: ['ignore', process.stderr, 'inherit'],
    env: { ...process.env, AGENTCGROUP_TEST_KERNEL: kernel, AGENTCGROUP_TEST_KERNELS: kernels },
  },
);
const booted = existsSync(kernels) ? readFileSync(kernels, 'utf8').trim().split('\n') : [];
const guests = new Map(booted.map((line) => [line.split('\t')[0], line.split('\t').slice(1)]));
const results = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')).testResults : [];
rmSync(dir, { recursive: true });

const count = (tests, state) => tests.filter((t) => t.status === state).length;
for (const { name, assertionResults } of results) {
  const program = basename(name, '.test.ts');
  const [version, seconds] = guests.get(program) ?? [];
  const words = [
    `${count(assertionResults, 'passed')} passed`,
    ...['failed', 'skipped']
      .map((state) => [count(assertionResults, state), state])
      .filter(([n]) => n > 0)
      .map(([n, state]) => `${n} ${state}`),
    ...(seconds ? [`${seconds} s`] : []),
  ];
  process.stdout.write(
    `${program.padEnd(12)} ${(version ? `${kernel} (${version})` : kernel).padEnd(40)} ${words.join(', ')}\n`,
  );
}
if (results.length === 0) process.stdout.write(`nothing ran on ${kernel}\n`);
const ok = status === 0 && results.length > 0;
const all = results.flatMap(({ assertionResults }) => assertionResults);
// a file that fails before its first test has no failed test to count
const failed = ok ? 0 : Math.max(1, count(all, 'failed'));
const line = `${count(all, 'passed')} passed, ${failed} failed, ${count(all, 'skipped')} skipped\n`;
if (process.env.AGENTCGROUP_TEST_COUNT) writeFileSync(process.env.AGENTCGROUP_TEST_COUNT, line);
if (ok && kernel === 'memcg-bpf' && args.length === 0) writeFileSync(tested, `${recipe}\n`);
process.exit(ok ? 0 : 1);
