/**
 * `npm run bench:monitor`: what the BPF monitor costs a call that does nothing but start programs and touch memory, its worst
 * case. Lab, stock kernel, instruction-counting clock, one run, in turn without and with.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { table } from '../src/cli/print.ts';
import { bundle, runBundle } from '../test/lab/kernel/guest.ts';

const pairs = Number(process.argv[2] ?? 3);
const repository = resolve(import.meta.dirname, '..');
const folder = join(repository, 'node_modules/.agentcgroup-test');
const load = join(folder, `load-${process.pid}`);
mkdirSync(folder, { recursive: true });
const { status, stderr } = spawnSync('gcc', [
  '-static',
  '-O2',
  '-Wall',
  '-o',
  load,
  join(import.meta.dirname, 'monitor/load.c'),
]);
if (status !== 0) throw new Error(String(stderr));

const quantile = (values: number[], q: number) =>
  values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))]!;
try {
  const script = await bundle(join(import.meta.dirname, 'monitor/guest.ts'), 'bench-monitor');
  const { report, guestKernel } = await runBundle(script, {
    kernel: 'stock',
    deterministic: true,
    timeoutMs: 600_000,
    env: { LOAD: load, PAIRS: String(pairs) },
  });
  const row = (name: string, v: number[]) => [
    name,
    String(v.length),
    ...[0.25, 0.5, 0.75].map((q) => quantile(v, q).toFixed(2)),
  ];
  const { off, on, hooks } = report;
  console.log(`20 programs started and 16 MiB touched, ms by the guest's clock, ${guestKernel}\n`);
  console.log(table(['', 'rounds', 'p25', 'median', 'p75'], [row('without', off), row('with', on)], [1, 2, 3, 4]));
  console.log(`\nmedian with / without: ${(quantile(on, 0.5) / quantile(off, 0.5)).toFixed(4)}\n`);
  const cost = (p: { name: string; runs: number; runNs: number }) => [
    p.name,
    String(p.runs),
    String(Math.round(p.runNs / p.runs)),
  ];
  console.log(table(['hook', 'runs', 'mean ns'], hooks.map(cost), [1, 2]));
} finally {
  rmSync(load, { force: true });
}
