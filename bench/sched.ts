/**
 * The scheduler against the fair class with the same cpu.weight. The stock kernel, by a clock that counts instructions, arms
 * interleaved. Wake-ups are measured on one CPU: of two busy ones the emulator runs one at a time, in turns of up to 10 ms,
 * and that is all one would see. Usage: npm run bench:sched [-- REPETITIONS]
 */
import { measure } from '../test/lab/kernel/measured.ts';
import { interval, median, shown, verdict } from './confidence.ts';

const repetitions = Number(process.argv[2] ?? 20);
const wakes = await measure('bench', ['wakes', String(repetitions)], { timeoutMs: 1_800_000, cpus: 1 });
const seen = await measure('bench', ['sched', String(repetitions)], { timeoutMs: 1_800_000 });
console.log(`${repetitions} repetitions; median [95 % interval]; virtual clock: compare times with each other only`);
let kept = wakes.first('end').enabled === 1 && seen.first('end').enabled === 1;

const wake = (ext: number, key: 'p50' | 'p99' | 'max') =>
  wakes
    .all('wake')
    .filter((r) => r.ext === ext)
    .map((r) => r[key]!);
for (const key of ['p50', 'p99', 'max'] as const) {
  const [ours, fair] = [wake(1, key), wake(0, key)];
  const found = `${shown(ours)} us, fair class ${shown(fair)} us`;
  const what = `wake-up to running of a heavy task beside 8 light CPU hogs, ${key}`;
  if (key === 'max') console.log(`        ${what}: ${found}`);
  else kept = verdict(`${what}, below the fair class`, found, median(ours) < median(fair)) && kept;
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
