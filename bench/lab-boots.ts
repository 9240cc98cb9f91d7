// Boots the lab N times in a row (default 20), runs `true` in each, and says how long boots take and which died.
//   node bench/lab-boots.ts [N] [--deterministic]
import { parseArgs } from 'node:util';
import { runInLab } from '../src/lab/index.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { deterministic: { type: 'boolean', default: false } },
});
const boots = Number(positionals[0] ?? 20);
const wall: number[] = [];
const failures: string[] = [];
let retried = 0;
for (let i = 1; i <= boots; i++) {
  try {
    const { exitCode, signal, wallMs, attempts } = await runInLab({
      argv: ['true'],
      deterministic: values.deterministic,
    });
    if (exitCode !== 0) failures.push(`boot ${i}: true ended with ${signal ?? exitCode}`);
    if (attempts > 1) retried++;
    wall.push(wallMs);
    process.stderr.write(
      `boot ${i} of ${boots}: ${(wallMs / 1000).toFixed(1)} s${attempts > 1 ? ', the second try' : ''}\n`,
    );
  } catch (error) {
    failures.push(`boot ${i}: ${(error as Error).message}`);
  }
}
wall.sort((a, b) => a - b);
const at = (q: number) =>
  ((wall[Math.min(wall.length - 1, Math.floor(q * wall.length))] ?? Number.NaN) / 1000).toFixed(1);
process.stdout.write(
  `${boots} boots: ${failures.length} failed, ${retried} retried; boot + true + tear-down: ` +
    `p50 ${at(0.5)} s, p95 ${at(0.95)} s, longest ${at(1)} s\n`,
);
for (const failure of failures) process.stdout.write(`${failure}\n`);
process.exitCode = failures.length > 0 || retried > 0 ? 1 : 0;
