/**
 * What a tool call costs on top of the command: `bash -c true` through the shim (its own cgroup, the daemon asked twice)
 * against plain `bash -c true`, interleaved in one process that sits in an agent leaf, on this machine's own kernel.
 *   npm run bench:call [-- CALLS]
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { watchExit } from '../src/control/native/index.ts';
import { TestDaemon } from '../test/native/daemon/harness.ts';
import { cannotRun, cgroup2Mount } from '../test/native/scratch.ts';

/** Runs inside the agent leaf: times both in turn, order alternating, and writes the samples (ms) as JSON. */
const probe = `
  const { spawnSync } = require('node:child_process');
  const [count, shim, out] = process.argv.slice(1);
  const time = (shell) => {
    const begin = process.hrtime.bigint();
    const { status } = spawnSync(shell, ['-c', 'true'], { stdio: 'ignore' });
    if (status !== 0) throw new Error(shell + ': ' + status);
    return Number(process.hrtime.bigint() - begin) / 1e6;
  };
  for (let i = 0; i < 50; i++) { time('/bin/bash'); time(shim); }
  const plain = [], called = [];
  for (let i = 0; i < count; i++)
    for (const kind of i % 2 ? ['plain', 'called'] : ['called', 'plain'])
      kind === 'plain' ? plain.push(time('/bin/bash')) : called.push(time(shim));
  require('node:fs').writeFileSync(out, JSON.stringify({ plain, called }));`;

if (cannotRun) {
  process.stderr.write(`bench:call cannot run here: ${cannotRun}\n`);
  process.exit(69);
}
const count = Number(process.argv[2] ?? 2000);
await using daemon = await TestDaemon.start(cgroup2Mount()!);
const session = await daemon.session();
const out = join(daemon.dir, 'samples.json');
const argv = ['node', '-e', probe, String(count), join(session.shimDirectory, 'bin/bash'), out];
await new Promise((done) => void watchExit(session.spawn(process.execPath, argv), done));
const { plain, called } = JSON.parse(readFileSync(out, 'utf8')) as { plain: number[]; called: number[] };
const added = called.map((ms, i) => ms - plain[i]!);

const at = (values: number[], q: number) => values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))]!;
const row = (name: string, values: number[]) =>
  `${name.padEnd(28)}${[0.5, 0.95, 0.99].map((q) => at(values, q).toFixed(2).padStart(8)).join('')}\n`;
process.stdout.write(`milliseconds, n = ${count} pairs       p50     p95     p99\n`);
process.stdout.write(row('bash -c true', plain) + row('through the shim', called) + row('added, pair by pair', added));
const difference = [0.5, 0.95, 0.99].map((q) => at(called, q) - at(plain, q));
process.stdout.write(
  `${'difference of percentiles'.padEnd(28)}${difference.map((d) => d.toFixed(2).padStart(8)).join('')}\n`,
);
process.stdout.write(`ratio at p50 ${(at(called, 0.5) / at(plain, 0.5)).toFixed(2)}\n`);
