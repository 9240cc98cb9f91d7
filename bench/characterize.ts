/**
 * Time and peak memory of `agentcgroup characterize` for the public data set, and for 10 and 100 copies of it.
 * Usage: node bench/characterize.ts [copies...]   (default 1 10 100; the data set at AGENTCGROUP_SHARED or ../shared)
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { command } from './command.ts';

const root = resolve(import.meta.dirname, '..');
const traces = join(process.env.AGENTCGROUP_SHARED ?? resolve(root, '../shared'), 'traces');
const sets = ['all_images_haiku', 'all_images_local'];
if (!existsSync(join(traces, sets[0]!))) {
  process.stderr.write(`the AgentCgroup data set is not at ${traces} (set AGENTCGROUP_SHARED): nothing to measure\n`);
  process.exit(0);
}

/** Every task so many times under names of its own; the attempts are links to the one there is. */
async function copies(n: number, dir: string): Promise<void> {
  for (const set of sets)
    for (const task of await readdir(join(traces, set)))
      for (let i = 0; i < n; i++) {
        const copy = join(dir, set, `${task}~${i}`);
        await mkdir(copy, { recursive: true });
        for (const attempt of await readdir(join(traces, set, task)))
          await symlink(join(traces, set, task, attempt), join(copy, attempt));
      }
}

interface Run {
  seconds: number;
  cpuSeconds: number;
  peakMb: number;
  sessions: number;
  reportMb: number;
}

async function measure(n: number): Promise<Run> {
  const dir = await mkdtemp(join(tmpdir(), 'agentcgroup-bench-'));
  try {
    await copies(n, join(dir, 'traces'));
    const out = join(dir, 'report');
    const { err, ...taken } = await command(['characterize', ...sets.map((s) => join(dir, 'traces', s)), '--out', out]);
    return {
      ...taken,
      sessions: Number(/(\d+) of \d+ sessions/.exec(err)?.[1] ?? 0),
      reportMb: (await stat(join(out, 'report.html'))).size / 1e6,
    };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

const wanted = process.argv.slice(2).map(Number);
process.stdout.write('copies  sessions  seconds  CPU s  peak MiB  report MB  sessions/s\n');
for (const n of wanted.length ? wanted : [1, 10, 100]) {
  const r = await measure(n);
  const cells = [
    n,
    r.sessions,
    r.seconds.toFixed(1),
    r.cpuSeconds.toFixed(1),
    r.peakMb.toFixed(0),
    r.reportMb.toFixed(1),
    (r.sessions / r.seconds).toFixed(1),
  ];
  process.stdout.write(`${cells.map((c, i) => String(c).padStart([6, 8, 7, 5, 8, 9, 10][i]!)).join('  ')}\n`);
}
