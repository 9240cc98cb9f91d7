/** One run of the command line: what it took and what it printed. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

export interface Taken {
  seconds: number;
  cpuSeconds: number;
  /** Largest resident set, MiB. */
  peakMb: number;
  out: string;
  err: string;
}

const bin = join(resolve(import.meta.dirname, '..'), 'bin/agentcgroup.js');

/** Runs `agentcgroup ARGS`. Throws with the end of what it said when it fails. */
export async function command(args: readonly string[], options: { progress?: boolean } = {}): Promise<Taken> {
  const start = performance.now();
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { out: '', err: '' };
  child.stdout.on('data', (d) => {
    said.out += d;
  });
  child.stderr.on('data', (d) => {
    said.err += d;
    if (options.progress) process.stderr.write(d);
  });
  let peakMb = 0;
  let ticks = 0;
  const watch = setInterval(async () => {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
    peakMb = Math.max(peakMb, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
    const fields = (await readFile(`/proc/${child.pid}/stat`, 'utf8').catch(() => '')).split(') ')[1]?.split(' ');
    if (fields) ticks = Math.max(ticks, Number(fields[11]) + Number(fields[12]));
  }, 50);
  const code = await new Promise((done) => child.on('close', done));
  clearInterval(watch);
  if (code !== 0) throw new Error(`agentcgroup ${args[0]} ended with ${code}: ${said.err.slice(-2000)}`);
  // USER_HZ is 100 on every architecture Node runs on
  return { seconds: (performance.now() - start) / 1000, cpuSeconds: ticks / 100, peakMb, ...said };
}
