/**
 * Time and peak memory of a fleet of 1,000 nodes and 100,000 sessions under the policy, and of the same under no control.
 * Usage: node bench/simulate.ts [nodes] [sessions] [traces...]   (default 1000 100000 and the example set)
 */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const [nodes = '1000', sessions = '100000', ...traces] = process.argv.slice(2);

interface Run {
  seconds: number;
  cpuSeconds: number;
  peakMb: number;
  fleet: { sessions: number; calls: number; agentsLostCount: number; high: number }[];
}

async function measure(placement: string): Promise<Run> {
  const start = performance.now();
  const child = spawn(
    process.execPath,
    [
      ...[join(root, 'bin/agentcgroup.js'), 'simulate', ...traces, '--nodes', nodes, '--sessions', sessions],
      ...['--node-memory', '8g', '--no-density', '--placements', placement, '--json'],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let out = '';
  child.stdout.on('data', (d) => {
    out += d;
  });
  let peakMb = 0;
  let ticks = 0;
  const watch = setInterval(async () => {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
    peakMb = Math.max(peakMb, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
    const fields = (await readFile(`/proc/${child.pid}/stat`, 'utf8').catch(() => '')).split(') ')[1]?.split(' ');
    if (fields) ticks = Math.max(ticks, Number(fields[11]) + Number(fields[12]));
  }, 100);
  const code = await new Promise((done) => child.on('close', done));
  clearInterval(watch);
  if (code !== 0) throw new Error(`simulate ended with ${code}`);
  // USER_HZ is 100 on every architecture Node runs on
  return { seconds: (performance.now() - start) / 1000, cpuSeconds: ticks / 100, peakMb, fleet: JSON.parse(out).fleet };
}

console.log(`${nodes} nodes, ${sessions} sessions, ${availableParallelism()} processors`);
const none = await measure('risk:none');
const policy = await measure('risk:agentcgroup');
for (const [name, r] of [['none', none] as const, ['agentcgroup', policy] as const])
  console.log(
    `${name.padEnd(12)} ${r.seconds.toFixed(0)} s, ${r.cpuSeconds.toFixed(0)} s of CPU, peak ${r.peakMb.toFixed(0)} MiB, ${r.fleet[0]!.sessions} sessions, ${r.fleet[0]!.calls} calls, ${r.fleet[0]!.agentsLostCount} agents lost, HIGH ${r.fleet[0]!.high.toFixed(3)}x`,
  );
console.log(`the policy's share: ${(policy.cpuSeconds / none.cpuSeconds).toFixed(1)} times the CPU of the nodes alone`);
