/**
 * The memory governor against its targets and against user space doing the same: poll memory.current every millisecond and
 * freeze, or wait for memory.events (memory.high at the band) by inotify and freeze. The stock kernel, by a clock that counts
 * instructions, arms interleaved. The second part has one CPU: of two, the emulator runs one at a time, in turns of up to
 * 10 ms, which would be held against user space whenever it acts on the other CPU.
 * Usage: npm run bench:governor [-- REPETITIONS]
 */
import { measure } from '../test/lab/kernel/measured.ts';
import { interval, median, quantile, shown, verdict } from './confidence.ts';

const repetitions = Number(process.argv[2] ?? 20);
const rates = await measure('bench', ['rates', String(repetitions)], { timeoutMs: 1_800_000 });
const stops = await measure('bench', ['stops', String(repetitions)], { timeoutMs: 1_800_000, cpus: 1 });
console.log(`${repetitions} repetitions; median [95 % interval]; virtual clock: compare times with each other only`);
let kept = rates.first('end').enabled === 1 && stops.first('end').enabled === 1;
const rated = (target: number, huge: number) => rates.all('rate').filter((r) => r.target === target && r.huge === huge);

for (const target of [20, 100, 500])
  for (const huge of [0, 1]) {
    const runs = rated(target, huge);
    const found = runs.map((r) => r.rate!);
    const overshoot = runs.map((r) => r.overshoot_kib!);
    const unlimited = rated(0, huge).map((r) => r.rate!);
    const [low, high] = interval(found);
    const name = `${target} MB/s, ${huge ? 'huge' : 'small'} pages`;
    if (median(unlimited) < target * 1.1)
      console.log(
        `        ${name}: ${shown(found)}; this machine does ${shown(unlimited)} without a limit: no verdict`,
      );
    else kept = verdict(`${name}, within 10 %`, shown(found), low > target * 0.9 && high < target * 1.1) && kept;
    const most = Math.max(...overshoot);
    kept =
      verdict(
        `${name}, overshoot at most ${huge ? '4096 KiB (2 huge pages)' : '512 KiB (2 batches)'}`,
        `${shown(overshoot, 0)}, worst ${most.toFixed(0)} KiB`,
        most <= (huge ? 4096 : 512),
      ) && kept;
  }

const arms = ['governor', 'poll 1 ms + freeze', 'inotify + freeze'];
for (const hogs of [0, 8]) {
  const times = arms.map((_, arm) =>
    stops
      .all('stopped')
      .filter((r) => r.arm === arm && r.hogs === hogs)
      .map((r) => r.us!),
  );
  const p99 = (values: readonly number[]) =>
    quantile(
      values.toSorted((a, b) => a - b),
      0.99,
    );
  for (const [arm, name] of arms.entries())
    console.log(`${hogs} hogs, ${name}: median ${shown(times[arm]!)} us, p99 ${shown(times[arm]!, 0, p99)} us`);
  const held = times[0]!.every((us) => us > 0);
  const ratio = (at: (values: readonly number[]) => number) => Math.min(at(times[1]!), at(times[2]!)) / at(times[0]!);
  kept =
    verdict(`${hogs} hogs: median below both`, `${ratio(median).toFixed(1)} times`, held && ratio(median) > 1) && kept;
  const wanted = hogs ? 10 : 1;
  kept =
    verdict(
      `${hogs} hogs: p99 below both${hogs ? ', at least 10 times' : ''}`,
      `${ratio(p99).toFixed(1)} times`,
      ratio(p99) > wanted,
    ) && kept;
}
process.exitCode = kept ? 0 : 1;
