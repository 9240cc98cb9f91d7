/**
 * `npm run bench:memcg`: three ways to slow down a low-priority call that grows beside a high-priority worker: the memory
 * governor (delays the task on its way to user mode), memcg_charged (delays the charge; bpf/memory.bpf.c) and memory.high
 * (the kernel's own penalty). One boot of the memcg-bpf kernel, arms interleaved, by a clock that counts instructions. Then, in
 * another boot with one CPU, what the operations cost a page fault: with nothing attached, attached to another cgroup, with
 * our policy and no budget, with a budget that is never reached. `cost` alone does only that.
 * Usage: npm run bench:memcg [-- [cost] REPETITIONS]
 */
import { resolve } from 'node:path';
import { table } from '../src/cli/print.ts';
import { compileObject } from '../test/lab/kernel/compile.ts';
import { measure, type Numbers } from '../test/lab/kernel/measured.ts';
import { median, shown } from './confidence.ts';

const words = process.argv.slice(2);
const repetitions = Number(words.find((word) => /^\d+$/.test(word)) ?? 10);
const kernel = process.env.AGENTCGROUP_TEST_KERNEL ?? 'memcg-bpf';
const policy = resolve(import.meta.dirname, '../prebuilt/bpf', 'memory.bpf.o');
console.log(`${repetitions} repetitions; median [95 % interval]; virtual clock: compare times with each other only`);
if (!words.includes('cost')) await compareArms();
await showCost();

async function compareArms(): Promise<void> {
  const seen = await measure('versus', [policy, String(repetitions)], { kernel, timeoutMs: 2_400_000 });
  const arms = ['none', 'governor', 'memcg_charged', 'memory.high'];
  for (const target of [20, 100]) {
    const rows = arms.map((name, arm) => {
      const runs = seen.all('arm').filter((r) => r.arm === arm && r.target === target);
      const column = (of: (r: Numbers) => number, digits = 1) => shown(runs.map(of), digits);
      const worst = Math.max(...runs.map((r) => r.worst_ms!));
      return [
        name,
        column((r) => r.rate!),
        column((r) => r.overshoot_kib!, 0),
        column((r) => r.beside_ms! / r.alone_ms!, 2),
        `${column((r) => r.worst_ms!)}, ${worst.toFixed(0)}`,
        // per second of the hog's life
        column((r) => r.waited_ms! / r.seconds!, 0),
        `${runs.filter((r) => r.finished === 1).length} of ${runs.length}`,
      ];
    });
    console.log(`\nbudget ${target} MB/s (memory.high: 16 MiB)\n`);
    const head = [
      '',
      'MB/s',
      'overshoot KiB',
      'worker: beside / alone',
      'worst lock wait ms: median, worst',
      'lock wait ms per s',
      'finished',
    ];
    console.log(table(head, rows, [1, 2, 3, 4, 5, 6]));
  }
}

/** Nanoseconds of the virtual clock for a page fault in a cgroup two levels below the root of our tree. */
async function showCost(): Promise<void> {
  const seen = await measure('cost', [compileObject('memcg'), String(Math.max(3, repetitions))], {
    object: policy,
    kernel,
    cpus: 1,
    // clearing a page takes the emulator an eighth of the turns without these two flags: what is left can be seen better
    kernelArguments: ['clearcpuid=erms,fsrm'],
    timeoutMs: 600_000,
  });
  const of = (how: string) => seen.all(how).map((r) => r.ns!);
  const base = median(of('nothing'));
  const ways = {
    nothing: 'nothing attached',
    elsewhere: 'attached to another cgroup',
    policy: 'our policy, no budget',
    budget: 'our policy, a budget not reached',
  };
  const rows = Object.entries(ways).map(([how, what]) => [
    what,
    shown(of(how), 1),
    `${((median(of(how)) / base - 1) * 100).toFixed(2)} %`,
  ]);
  console.log(`\n${table(['', 'ns per page fault', 'more'], rows, [1, 2])}`);
}
