/**
 * What a tool call costs on top of the command: `bash -c true` through the shim (its own cgroup, the daemon asked twice)
 * against plain `bash -c true`, interleaved, by a small process that sits in an agent leaf, on this machine's own kernel.
 *   npm run bench:call [-- CALLS] [--realtime]
 * On a machine that is busy with other things both arms mostly wait for a processor, and the one with more processes waits
 * more often. `--realtime` gives everything here, both arms alike, a real-time priority (chrt --rr 10): other work is then
 * measured as little as on an idle machine.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type ExitStatus, spawn, watchExit } from '../src/control/native/index.ts';
import { TestDaemon } from '../test/native/daemon/harness.ts';
import { cannotRun, cgroup2Mount } from '../test/native/scratch.ts';

if (cannotRun) {
  process.stderr.write(`bench:call cannot run here: ${cannotRun}\n`);
  process.exit(69);
}
const { values, positionals } = parseArgs({ allowPositionals: true, options: { realtime: { type: 'boolean' } } });
const count = Number(positionals[0] ?? 2000);
if (values.realtime) {
  const again = ['--rr', '10', process.execPath, import.meta.filename, String(count)];
  process.exit(spawnSync('chrt', again, { stdio: 'inherit' }).status ?? 70);
}
await using daemon = await TestDaemon.start(cgroup2Mount()!);
const session = await daemon.session();
const [prober, out] = [join(daemon.dir, 'spawn-pairs'), join(daemon.dir, 'pairs')];
execFileSync('gcc', ['-O2', '-o', prober, resolve(import.meta.dirname, 'spawn-pairs.c')]);
const fds = [openSync('/dev/null', 'r'), openSync(out, 'w'), 2];
const argv = ['spawn-pairs', String(count), '/bin/bash', join(session.shimDirectory, 'bin/bash')];
const child = session.agent.withFd((cgroupFd) => spawn({ file: prober, argv, env: session.env, cgroupFd, fds }));
const ended = await new Promise<ExitStatus | null>((done) => void watchExit(child, done));
if (ended?.code !== 0) throw new Error(`spawn-pairs ended with ${ended?.code ?? ended?.signal}`);

const pairs = readFileSync(out, 'utf8')
  .trim()
  .split('\n')
  .map((line) => line.split(' ').map((us) => Number(us) / 1000));
const plain = pairs.map((pair) => pair[0]!);
const called = pairs.map((pair) => pair[1]!);
const quantiles = [0.5, 0.95, 0.99];
const at = (values: number[], q: number) => values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))]!;
const row = (name: string, values: number[]) =>
  process.stdout.write(`${name.padEnd(28)}${values.map((ms) => ms.toFixed(2).padStart(8)).join('')}\n`);
process.stdout.write(`load average ${loadavg()[0]!.toFixed(1)} on ${availableParallelism()} CPUs\n`);
process.stdout.write(`milliseconds, n = ${plain.length} pairs       p50     p95     p99\n`);
row(
  'bash -c true',
  quantiles.map((q) => at(plain, q)),
);
row(
  'through the shim',
  quantiles.map((q) => at(called, q)),
);
row(
  'added (difference of these)',
  quantiles.map((q) => at(called, q) - at(plain, q)),
);
const added = pairs.map(([a, b]) => b! - a!);
row(
  'added, pair by pair',
  quantiles.map((q) => at(added, q)),
);
process.stdout.write(`ratio at p50 ${(at(called, 0.5) / at(plain, 0.5)).toFixed(2)}\n`);
