// `npm test`: types, lint, then every test; ends with one line that counts them. Names after `--` choose test files or projects.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
 * One run of vitest; resolves with whether it passed. What runs beside the first keeps its output in a file until the first
 * has ended, so that both can be read.
 */
function vitest(name, args, output) {
  const report = join(dir, `${name}.json`);
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

const chosen = process.argv.slice(2);
let ok;
if (chosen.length > 0) ok = await vitest('chosen', chosen, 'inherit');
else {
  // an emulated guest keeps one processor busy: the rest of the tests have the others
  const file = join(dir, 'lab.log');
  const log = openSync(file, 'w');
  const lab = vitest('lab', ['--project', 'lab'], log);
  const rest = await vitest('other', ['--project', 'unit', '--project', 'native', '--project', 'agents'], 'inherit');
  process.stdout.write('\nthe lab tests, run beside these:\n');
  ok = (await lab) && rest;
  process.stdout.write(readFileSync(file));
}
if (!ok && count.failed === 0) count.failed = 1;
rmSync(dir, { recursive: true, force: true });
const line = `${count.passed} passed, ${count.failed} failed${count.skipped ? `, ${count.skipped} skipped` : ''}`;
process.stdout.write(`${line}\n`);
if (process.env.AGENTCGROUP_TEST_COUNT) writeFileSync(process.env.AGENTCGROUP_TEST_COUNT, `${line}\n`);
process.exit(count.failed ? 1 : 0);
