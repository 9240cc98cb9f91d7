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

/**
 * One run of vitest; resolves with whether it passed and what it counted. `output`: a file descriptor, or 'inherit'.
 */
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
  rmSync(report, { force: true });
  return new Promise((resolve) => {
    spawn('node', all, { stdio: ['ignore', output, output] }).on('close', (status) => {
      try {
        const r = JSON.parse(readFileSync(report, 'utf8'));
        // a file that fails before its first test has no failed test to count
        const silent = (f) => f.status === 'failed' && f.assertionResults.every((a) => a.status !== 'failed');
        resolve({
          ok: status === 0,
          passed: r.numPassedTests,
          failed: r.numFailedTests + r.testResults.filter(silent).length,
          skipped: r.numPendingTests + r.numTodoTests,
        });
      } catch (error) {
        process.stderr.write(`no report of the ${name} tests: ${error.message}\n`);
        resolve({ ok: false, passed: 0, failed: 1, skipped: 0 });
      }
    });
  });
}

let ok = true;
function add(found) {
  ok &&= found.ok;
  for (const kind of ['passed', 'failed', 'skipped']) count[kind] += found[kind];
}

/** Files that boot kernels, those of the folder itself first: they take longest. */
const labFiles = globSync('test/lab/**/*.test.ts').sort((a, b) => a.split('/').length - b.split('/').length);

/**
 * Runs lab test files until none is left. Output is kept until the file has ended: two of these may run at a time. What one guest
 * measured is judged by many tests: a file that fails gets a second guest, which the output shows.
 */
async function labTests() {
  const log = join(dir, 'lab.log');
  for (let file = labFiles.shift(); file !== undefined; file = labFiles.shift()) {
    const output = join(dir, `${labFiles.length}.log`);
    const once = async () => {
      const found = await vitest(file, ['--project', 'lab', '--passWithNoTests', file], openSync(output, 'w'));
      appendFileSync(log, readFileSync(output));
      return found;
    };
    const first = await once();
    if (!first.ok) appendFileSync(log, `\nSECOND TRY: ${file}\n`);
    add(first.ok ? first : await once());
  }
}

const chosen = process.argv.slice(2);
if (chosen.length > 0) add(await vitest('chosen', chosen, 'inherit'));
else {
  // an emulated guest keeps one processor busy: the other tests have the rest, and guests have that too when they are done
  const others = ['--project', 'unit', '--project', 'native', '--project', 'agents'];
  const thenLab = async () => {
    add(await vitest('other', others, 'inherit'));
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
