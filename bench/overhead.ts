/**
 * `npm run bench:overhead`: what monitor, scheduler and governor together cost a call that starts many short programs, touches
 * memory and computes, and never reaches a limit, against the same call under the fair class with nothing loaded. Lab, stock
 * kernel, a clock that counts instructions, one run, in turn. Usage: npm run bench:overhead [-- PAIRS]
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { table } from '../src/cli/print.ts';
import { bundle, runBundle } from '../test/lab/kernel/guest.ts';
import { interval, median, shown, verdict } from './confidence.ts';

const pairs = Number(process.argv[2] ?? 5);
const folder = join(resolve(import.meta.dirname, '..'), 'node_modules/.agentcgroup-test');
const load = join(folder, `load-${process.pid}`);
mkdirSync(folder, { recursive: true });
const source = join(import.meta.dirname, 'monitor/load.c');
const { status, stderr } = spawnSync('gcc', ['-static', '-O2', '-Wall', '-o', load, source]);
if (status !== 0) throw new Error(String(stderr));

try {
  const script = await bundle(join(import.meta.dirname, 'overhead/guest.ts'), 'bench-overhead');
  const { report, guestKernel } = await runBundle(script, {
    kernel: 'stock',
    deterministic: true,
    cpus: 1,
    timeoutMs: 900_000,
    env: { LOAD: load, PAIRS: String(pairs) },
  });
  const { off, on, holds, charges, ejected, hooks } = report;
  const ratios = on.map((ms: number, i: number) => (ms / off[i] - 1) * 100);
  console.log(`20 programs started, 16 MiB touched, some computing; ms by the guest's clock, ${guestKernel}, 1 CPU`);
  console.log(`fair class, nothing loaded: ${shown(off)} ms; monitor, scheduler and governor: ${shown(on)} ms`);
  let kept = verdict(
    'wall time, at most 3 % more',
    `${shown(ratios, 2)} %, ${on.length} pairs`,
    interval(ratios)[1] <= 3,
  );
  kept =
    verdict(
      'nobody was held',
      `${charges} charges, ${holds} holds, median ${median(on).toFixed(1)} ms`,
      holds === 0 && charges > 0 && ejected === 0,
    ) && kept;
  const cost = (p: { name: string; runs: number; runNs: number }) => [
    p.name,
    String(p.runs),
    String(Math.round(p.runNs / p.runs)),
  ];
  console.log(table(['hook', 'runs', 'mean ns'], hooks.map(cost), [1, 2]));
  process.exitCode = kept ? 0 : 1;
} finally {
  rmSync(load, { force: true });
}
