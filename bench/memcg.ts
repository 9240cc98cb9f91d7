/**
 * `npm run bench:memcg`: three ways to slow down a low-priority call that grows beside a high-priority worker: the memory
 * governor (delays the task on its way to user mode), memcg_charged (delays the charge; bpf/memory.bpf.c) and memory.high
 * (the kernel's own penalty). One boot of the memcg-bpf kernel, arms interleaved, by a clock that counts instructions.
 * Usage: npm run bench:memcg [-- REPETITIONS]
 */
import { join, resolve } from 'node:path';
import { table } from '../src/cli/print.ts';
import { measure, type Numbers } from '../test/lab/kernel/measured.ts';
import { median, shown } from './confidence.ts';

const repetitions = Number(process.argv[2] ?? 5);
const policy = resolve(import.meta.dirname, '../prebuilt/bpf', 'memory.bpf.o');
const seen = await measure('versus', [policy, String(repetitions)], {
  kernel: 'memcg-bpf',
  timeoutMs: 1_800_000,
});
const arms = ['none', 'governor', 'memcg_charged', 'memory.high'];
console.log(`${repetitions} repetitions; median [95 % interval]; virtual clock: compare times with each other only`);
for (const target of [20, 100]) {
  const rows = arms.map((name, arm) => {
    const runs = seen.all('arm').filter((r) => r.arm === arm && r.target === target);
    const column = (of: (r: Numbers) => number, digits = 1) => shown(runs.map(of), digits);
    return [
      name,
      column((r) => r.rate!),
      column((r) => r.overshoot_kib!, 0),
      column((r) => r.beside_ms! / r.alone_ms!, 2),
      column((r) => r.worst_ms!),
      // per second of the hog's life
      column((r) => r.waited_ms! / r.seconds!, 0),
      `${runs.filter((r) => r.finished === 1).length} of ${runs.length}`,
    ];
  });
  console.log(`\nbudget ${target} MB/s (memory.high: 4 MiB)\n`);
  const head = [
    '',
    'MB/s',
    'overshoot KiB',
    'worker: beside / alone',
    'worst lock wait ms',
    'lock wait ms per s',
    'finished',
  ];
  console.log(table(head, rows, [1, 2, 3, 4, 5, 6]));
}
const rate = (arm: number) =>
  median(
    seen
      .all('arm')
      .filter((r) => r.arm === arm && r.target === 20)
      .map((r) => r.rate!),
  );
const off = (arm: number) => Math.abs(rate(arm) / 20 - 1) * 100;
console.log(`\n20 MB/s: governor off by ${off(1).toFixed(1)} %, memcg_charged by ${off(2).toFixed(1)} %`);
console.log(`policy object: ${join('prebuilt/bpf', 'memory.bpf.o')}; see kernel/README.md for what follows from this`);
