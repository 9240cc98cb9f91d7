/** Recording real processes and cgroups of this machine, and reading the trace back. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { hierarchies } from '../../src/control/record/hierarchy.ts';
import { findTarget, Recorder } from '../../src/control/record/index.ts';
import type { TraceRecord } from '../../src/model/index.ts';
import { openTraces, TraceWriter } from '../../src/trace/index.ts';
import { collect, folder } from '../trace/fixtures.ts';

const bin = resolve(import.meta.dirname, '../../bin/agentcgroup.js');
const h = hierarchies();
const scratch = h.v2 && process.getuid?.() === 0 ? join(h.v2.path, `acg-record-${process.pid}`) : undefined;

function start(command: string, args: string[]) {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return { pid: child.pid!, ended };
}

/** A cgroup v2 directory of our own, removed (with what is in it) when the test ends. */
function cgroup(path: string): string {
  const directory = join(scratch!, path);
  mkdirSync(directory, { recursive: true });
  onTestFinished(async () => {
    for (let at = directory; at.startsWith(scratch!); at = join(at, '..')) {
      if (!existsSync(at)) continue;
      for (let tries = 0; tries < 100; tries++)
        try {
          rmdirSync(at);
          break;
        } catch (error) {
          // a parent is removed with its last child
          if (!/EBUSY/.test(String(error))) throw error;
          if (tries === 20 && at !== directory) return;
          await sleep(20);
        }
    }
  });
  return directory;
}

async function recorded(path: string) {
  const [s] = await collect(openTraces([path]));
  expect(s!.report.leftOut).toEqual([]);
  return s!;
}

/** Plays an agent: once the recording has begun (its file is there), three calls one after another. */
const agent = `
  const { spawn } = require('node:child_process');
  const { existsSync } = require('node:fs');
  const calls = [
    "node -e 'const b = Buffer.alloc(120e6, 1); setTimeout(() => b, 700)'; true",
    'sleep 0.5',
    'sleep 1 & sleep 0.4; true',
  ];
  const next = () => {
    const c = calls.shift();
    if (!c) return setTimeout(() => {}, 900);
    spawn('/bin/bash', ['-c', c], { detached: true, stdio: 'ignore' }).on('exit', () => setTimeout(next, 250));
  };
  const begun = setInterval(() => {
    if (!existsSync(process.argv[1])) return;
    clearInterval(begun);
    setTimeout(next, 800);
  }, 20);
`;

test('a process tree: its calls, their memory, and the chain to a session that can be studied', async () => {
  const out = join(folder({}), 'run.ndjson');
  const { pid } = start(process.execPath, ['-e', agent, out]);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [bin, 'record', '--pid', String(pid), '--interval', '50ms', '-o', out, '--json', '--duration', '30s'],
    { encoding: 'utf8', timeout: 60_000 },
  );
  expect(status, stderr).toBe(0);
  const cost = JSON.parse(stdout);
  const s = await recorded(out);
  expect(s.session).toMatchObject({ source: 'record', tenant: 'recorded', end: expect.any(Number) });
  expect(s.session.argv?.[0]).toBe(process.execPath);

  expect(s.calls.map((c) => c.command?.slice(0, 9))).toEqual(["node -e '", 'sleep 0.5', 'sleep 1 &']);
  const [big, , background] = s.calls;
  expect(big!.peakBytes).toBeGreaterThan(120e6);
  expect(big!.peakBytes).toBeLessThan(400e6);
  expect(big!.peakProcess?.rssBytes).toBeGreaterThan(120e6);
  expect(s.calls[1]!.durationMs).toBeGreaterThan(350);
  expect(background!.background).toBe(true);
  expect(background!.durationMs).toBeLessThan(900);

  const whole = s.samples.filter((x) => x.scope === 'session');
  const before = whole.filter((x) => x.t < big!.start);
  expect(before.length).toBeGreaterThan(2);
  expect(Math.max(...whole.map((x) => x.memoryBytes))).toBeGreaterThan(
    Math.max(...before.map((x) => x.memoryBytes)) + 100e6,
  );
  for (let i = 1; i < whole.length; i++) expect(whole[i]!.cpuUsec).toBeGreaterThanOrEqual(whole[i - 1]!.cpuUsec!);
  expect(cost.samples).toBe(s.samples.length);
  expect(s.events).toMatchObject([{ kind: 'record-cost', data: { rounds: cost.rounds } }]);

  const report = join(folder({}), 'report');
  const args = [bin, 'characterize', out, '--out', report];
  const made = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 });
  expect(made.status, made.stderr).toBe(0);
  expect(readFileSync(join(report, 'report.html'), 'utf8')).toContain('</html>');
});

test.skipIf(!scratch)('a session of ours: agent and tool calls as they come and go, found by name', async () => {
  const session = cgroup('tenant-acme/session-s1');
  cgroup('tenant-acme/session-s1/agent');
  const { pid } = start('sleep', ['30']);
  writeFileSync(join(session, 'agent/cgroup.procs'), String(pid));
  const target = findTarget({ session: 's1', cgroupRoot: scratch! });
  expect(target).toMatchObject({ tenant: 'acme', session: true });
  const path = join(folder({}), 's1.ndjson');
  const writer = await TraceWriter.open(path);
  const recorder = new Recorder({
    target,
    session: 's1',
    intervalMs: 20,
    treeCalls: false,
    write: (r: TraceRecord) => writer.write(r),
  });
  await sleep(100);
  const tool = join(session, 'tool-1');
  const madeAt = Date.now();
  mkdirSync(tool);
  const call = start('sleep', ['0.4']);
  writeFileSync(join(tool, 'cgroup.procs'), String(call.pid));
  await call.ended;
  await expect.poll(() => tryRemove(tool), { timeout: 5000 }).toBe(true);
  await sleep(150);
  const cost = recorder.stop();
  await writer.close();
  const s = await recorded(path);
  expect(s.session).toMatchObject({ session: 's1', tenant: 'acme' });
  expect(s.calls).toMatchObject([{ call: 'tool-1', via: 'shim' }]);
  expect(s.calls[0]!.durationMs).toBeGreaterThan(300);
  expect(s.calls[0]!.durationMs).toBeLessThan(3000);
  expect(new Set(s.samples.map((x) => x.scope))).toEqual(new Set(['session', 'agent', 'call']));
  // a cgroup is sampled as soon as it is there, not a second later
  const first = s.samples.find((x) => x.scope === 'call')!;
  expect(first.t - madeAt).toBeLessThan(700);
  expect(cost.cgroups).toBe(3);
});

test.skipIf(!scratch)('a container by its id, and what was run in it from outside', async () => {
  const id = 'ab12'.repeat(16);
  const container = cgroup(`libpod-${id}.scope`);
  const main = start('sleep', ['30']);
  writeFileSync(join(container, 'cgroup.procs'), String(main.pid));
  const out = join(folder({}), 'c.ndjson');
  const recording = spawn(
    process.execPath,
    [bin, 'record', '--container', id.slice(0, 12), '-o', out, '--interval', '25ms'],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  onTestFinished(() => void recording.kill('SIGKILL'));
  await expect.poll(() => existsSync(out), { timeout: 20_000 }).toBe(true);
  await sleep(300);
  const call = start('/bin/bash', ['-c', `echo $$ > ${container}/cgroup.procs; sleep 0.5; true`]);
  await call.ended;
  recording.kill('SIGINT');
  const status = await new Promise((done) => recording.once('exit', done));
  expect(status).toBe(0);
  const s = await recorded(out);
  expect(s.session.session).toMatch(/^container-ab12ab12ab12-/);
  expect(s.calls).toMatchObject([{ command: expect.stringContaining('sleep 0.5'), via: 'process-tree' }]);
  expect(s.samples.filter((x) => x.scope === 'session').length).toBeGreaterThan(10);
});

const v1 = h.v1.get('memory')?.path;
const ownV1 = v1 && /^\d+:memory:(\/.+)$/m.exec(readFileSync('/proc/self/cgroup', 'latin1'))?.[1];
test.skipIf(!ownV1)('a cgroup v1 memory cgroup, read-only', async () => {
  const directory = join(v1!, ownV1!);
  const out = join(folder({}), 'v1.ndjson');
  const run = spawnSync(
    process.execPath,
    [bin, 'record', '--cgroup', directory, '--duration', '1s', '-o', out, '--no-calls'],
    {
      encoding: 'utf8',
      timeout: 30_000,
    },
  );
  expect(run.status, run.stderr).toBe(0);
  const s = await recorded(out);
  expect(s.session.node?.cgroupVersion).toBe(1);
  const whole = s.samples.filter((x) => x.scope === 'session');
  expect(whole.length).toBeGreaterThan(4);
  const now = Number(readFileSync(join(directory, 'memory.usage_in_bytes'), 'latin1'));
  expect(whole[0]!.memoryBytes / now).toBeGreaterThan(0.2);
  expect(whole[0]!.memoryBytes / now).toBeLessThan(5);
  expect(whole[0]!.anonBytes! + whole[0]!.fileBytes!).toBeLessThan(whole[0]!.memoryBytes * 1.1);
  expect(whole.at(-1)!.cpuUsec).toBeGreaterThan(0);
});

test('what cannot be recorded is said, with a status', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [bin, 'record', ...args], { encoding: 'utf8', timeout: 20_000 });
  expect(run('--pid', '999999999')).toMatchObject({ status: 66, stderr: expect.stringContaining('ACG_RECORD_TARGET') });
  expect(run('--cgroup', '/tmp')).toMatchObject({ status: 66 });
  if (h.v2?.root === '/') expect(run('--cgroup', h.v2.path)).toMatchObject({ status: 66 });
  expect(run('--container', '../etc')).toMatchObject({ status: 66 });
  expect(run('--container', '--all')).toMatchObject({ status: 66 });
  expect(run()).toMatchObject({ status: 64 });
  expect(run('--pid', '1', '--cgroup', '/')).toMatchObject({ status: 64 });
  expect(run('--pid', 'x')).toMatchObject({ status: 64 });
  expect(run('--pid', '1', '--interval', '1ms')).toMatchObject({ status: 64 });
});

function tryRemove(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}
