/** The whole chain on this machine: a running process tree is recorded from outside, characterised, and reported. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cli } from '../cli/run.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'agentcgroup-chain-'));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function run(args: string[]): Promise<string> {
  const { status, out, err } = await cli(dir, ...args);
  if (status !== 0) throw new Error(`agentcgroup ${args.join(' ')} ended with ${status}: ${out}${err}`);
  return out + err;
}

/** Node that holds so many MB for so long: what a tool call is to an agent. */
const hold = (mb: number, ms: number) =>
  `${process.execPath} -e "const b = Buffer.alloc(${mb}e6, 1); setTimeout(() => b.length, ${ms})"`;

test('record a process tree, then characterise it', async () => {
  const script = `sleep 1; bash -c '${hold(150, 1500).replaceAll("'", "'\\''")}; true'; sleep 1; bash -c '${hold(300, 1500).replaceAll("'", "'\\''")}; true'; sleep 1`;
  const agent = spawn('bash', ['-c', `${script}\ntrue`], { stdio: 'ignore' });
  const ended = new Promise((done) => agent.once('exit', done));
  const trace = join(dir, 'run.ndjson');
  try {
    await run(['record', '--pid', String(agent.pid), '--duration', '60s', '--out', trace]);
  } finally {
    agent.kill('SIGKILL');
    await ended;
  }
  const out = join(dir, 'report');
  await run(['characterize', trace, '--out', out]);
  const study = JSON.parse(await readFile(join(out, 'findings.json'), 'utf8'));
  const set = study.sets[0].name;
  const task = study.tasks[0];
  expect(task.samples).toBeGreaterThan(30);
  // the second call holds 300 MB and Node's own memory; the tree is idle between
  expect(study.findings['mem.p2a'].sound[set].peak).toBeGreaterThan(300);
  expect(task.mem_idle_mb).toBeLessThan(150);
  expect(task.commands).toBeGreaterThanOrEqual(2);
  expect(study.findings['burst.height'].sound[set].max).toBeGreaterThan(200);
  expect(study.findings['cpu.mean_all'].sound[set]).toBeGreaterThan(0);
  expect(await readFile(join(out, 'report.html'), 'utf8')).toContain('id="timeline"');
}, 180_000);
