// `npm test`: types, lint, then every test; ends with one line that counts them. Names after `--` choose test files or projects.
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, globSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const dir = mkdtempSync(join(tmpdir(), 'agentcgroup-test-'));
const count = { passed: 0, failed: 0, skipped: 0 };
const run = (args) => spawnSync('node', args, { stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;

for (const [name, args] of [
  ['types', ['node_modules/typescript/bin/tsc', '--noEmit']],
  ['lint and format', ['node_modules/@biomejs/biome/bin/biome', 'check', '.']],
]) {
  const ok = run(args);
  process.stdout.write(`${ok ? 'ok' : 'FAILED'}: ${name}\n`);
  count[ok ? 'passed' : 'failed']++;
}

/** One run of vitest; resolves with whether it passed. `output`: a file descriptor, or 'inherit'. */
function vitest(name, args, output) {
  const report = join(dir, `${name.replaceAll('/', '-')}.json`);
  const all = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile=${report}`,
    ...args,
  ];
  return new Promise((resolve) => {
    spawn('node', all, { stdio: ['ignore', output, output] }).on('close', (status) => {
      try {
        const r = JSON.parse(readFileSync(report, 'utf8'));
        count.passed += r.numPassedTests;
        count.failed += r.numFailedTests;
        count.skipped += r.numPendingTests + r.numTodoTests;
        // a file that fails before its first test has no failed test to count
        const silent = (f) => f.status === 'failed' && f.assertionResults.every((a) => a.status !== 'failed');
        count.failed += r.testResults.filter(silent).length;
      } catch (error) {
        process.stderr.write(`no report of the ${name} tests: ${error.message}\n`);
        count.failed++;
      }
      resolve(status === 0);
    });
  });
}

/** Files that boot kernels, those of the folder itself first: they take longest. */
const labFiles = globSync('test/lab/**/*.test.ts').sort((a, b) => a.split('/').length - b.split('/').length);
let ok = true;

/** Runs lab test files until none is left. Output is kept until the file has ended: two of these may run at a time. */
async function labTests() {
  for (let file = labFiles.shift(); file !== undefined; file = labFiles.shift()) {
    const output = join(dir, `${labFiles.length}.log`);
    ok = (await vitest(file, ['--project', 'lab', '--passWithNoTests', file], openSync(output, 'w'))) && ok;
    appendFileSync(join(dir, 'lab.log'), readFileSync(output));
  }
}

const chosen = process.argv.slice(2);
if (chosen.length > 0) ok = await vitest('chosen', chosen, 'inherit');
else {
  // an emulated guest keeps one processor busy: the other tests have the rest, and guests have that too when they are done
  const others = ['--project', 'unit', '--project', 'native', '--project', 'agents'];
  const thenLab = async () => {
    ok = (await vitest('other', others, 'inherit')) && ok;
    await labTests();
  };
  await Promise.all([labTests(), thenLab()]);
  process.stdout.write('\nthe lab tests, run beside these:\n');
  process.stdout.write(readFileSync(join(dir, 'lab.log')));
}
if (!ok && count.failed === 0) count.failed = 1;
rmSync(dir, { recursive: true, force: true });
const line = `${count.passed} passed, ${count.failed} failed${count.skipped ? `, ${count.skipped} skipped` : ''}`;
process.stdout.write(`${line}\n`);
if (process.env.AGENTCGROUP_TEST_COUNT) writeFileSync(process.env.AGENTCGROUP_TEST_COUNT, `${line}\n`);
process.exit(count.failed ? 1 : 0);
