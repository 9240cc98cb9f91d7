// `npm test`: types, lint, then every test; ends with one line that counts them. Names after `--` choose test files or projects.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

const report = join(dir, 'report.json');
const vitest = [
  'node_modules/vitest/vitest.mjs',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile=${report}`,
];
const ok = run([...vitest, ...process.argv.slice(2)]);
try {
  const r = JSON.parse(readFileSync(report, 'utf8'));
  count.passed += r.numPassedTests;
  count.failed += r.numFailedTests;
  count.skipped += r.numPendingTests + r.numTodoTests;
  // a file that fails before its first test has no failed test to count
  count.failed += r.testResults.filter(
    (f) => f.status === 'failed' && f.assertionResults.every((a) => a.status !== 'failed'),
  ).length;
} catch (error) {
  process.stderr.write(`no test report: ${error.message}\n`);
}
if (!ok && count.failed === 0) count.failed = 1;
rmSync(dir, { recursive: true, force: true });
const line = `${count.passed} passed, ${count.failed} failed${count.skipped ? `, ${count.skipped} skipped` : ''}`;
process.stdout.write(`${line}\n`);
if (process.env.AGENTCGROUP_TEST_COUNT) writeFileSync(process.env.AGENTCGROUP_TEST_COUNT, `${line}\n`);
process.exit(count.failed ? 1 : 0);
