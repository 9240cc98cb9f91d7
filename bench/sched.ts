/**
 * The scheduler against the fair class with the same cpu.weight. The stock kernel, by a clock that counts instructions, arms
 * interleaved. Wake-ups are timed in the kernel, from the begin of the wake-up to the switch to the task, on one CPU and on
 * two. The emulator runs two CPUs in turn; what is left of that in the figures (turns of 0.1 ms) is the same for both.
 * Usage: npm run bench:sched [-- REPETITIONS]
 */
import { rmSync } from 'node:fs';
import { compileObject } from '../test/lab/kernel/compile.ts';
import { measure } from '../test/lab/kernel/measured.ts';
import { interval, quantile, shown, verdict } from './confidence.ts';

const repetitions = Number(process.argv[2] ?? 20);
const timeoutMs = 1_800_000;
const watcher = compileObject('latency');
const wakes = [];
for (const cpus of [1, 2])
  wakes.push({ cpus, seen: await measure('bench', ['wakes', String(repetitions), watcher], { timeoutMs, cpus }) });
rmSync(watcher);
const seen = await measure('bench', ['sched', String(repetitions)], { timeoutMs });
console.log(`${repetitions} repetitions; value [95 % interval]; virtual clock: compare times with each other only`);
let kept = [seen, ...wakes.map((w) => w.seen)].every((s) => s.first('end').enabled === 1);

const all = Array.from({ length: repetitions }, (_, i) => i);
/** The q-quantile over all wake-ups of some repetitions; repetitions are what is drawn for its interval. */
const pooled = (q: number, of: readonly (readonly number[])[]) => (which: readonly number[]) =>
  quantile(Float64Array.from(which.flatMap((i) => of[i]!)).sort(), q);

for (const { cpus, seen } of wakes) {
  const of = (ext: number) => {
    const wakes = seen.all('wake').filter((w) => w.ext === ext);
    return all.map((i) => wakes.filter((w) => w.repetition === i).map((w) => w.us!));
  };
  const [ours, fair] = [of(1), of(0)];
  const counts = `${ours.flat().length} and ${fair.flat().length} wake-ups`;
  console.log(
    `a task of weight 400 woken beside 8 CPU hogs of weight 50, ${cpus} CPU${cpus > 1 ? 's' : ''}, ${counts}:`,
  );
  for (const [name, q] of [
    ['p50', 0.5],
    ['p90', 0.9],
    ['p99', 0.99],
    ['worst', 1],
  ] as const) {
    const found = `${shown(all, 1, pooled(q, ours))} us, fair class ${shown(all, 1, pooled(q, fair))} us`;
    const better = pooled(q, ours)(all) < pooled(q, fair)(all);
    if (name === 'p50' || name === 'p99') kept = verdict(`${name} below the fair class`, found, better) && kept;
    else console.log(`        ${name}: ${found}`);
  }
}

const turns = (ext: number) =>
  seen
    .all('throughput')
    .filter((r) => r.ext === ext)
    .map((r) => r.turns!);
const fair = turns(0);
const ratios = turns(1).map((ours, i) => (ours / fair[i]!) * 100);
kept = verdict('batch throughput, % of the fair class', shown(ratios), interval(ratios)[0] > 97) && kept;

for (const [name, part] of [
  ['one', 1],
  ['two', 2],
  ['four', 4],
] as const) {
  const shares = seen.all('weights').map((r) => (r[name]! / (r.one! + r.two! + r.four!)) * 700);
  const [low, high] = interval(shares);
  kept =
    verdict(
      `weight ${part} of 1:2:4, within 3 %`,
      `${shown(shares)} for ${part * 100}`,
      low > part * 97 && high < part * 103,
    ) && kept;
}
const limited = seen.all('max').map((r) => r.share! * 100);
const [low, high] = interval(limited);
kept = verdict('cpu.max of 30 %, within 5 %', shown(limited), low > 28.5 && high < 31.5) && kept;
process.exitCode = kept ? 0 : 1;
