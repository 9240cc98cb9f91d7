import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { ReplayFiles, type ReplaySession, type ShapedCall } from '../../../src/study/replay/index.ts';

const MIB = 2 ** 20;
const dirs: string[] = [];
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

const call = (more: Partial<ShapedCall> = {}): ShapedCall => ({
  command: 'pytest -q',
  after: 0,
  workers: 1,
  retries: 0,
  smaller: 1,
  shape: [
    { at: 50, anon: 5 * MIB, file: 0, cpu: 0 },
    { at: 100, anon: 0, file: 0, cpu: 0 },
  ],
  ...more,
});

/** Runs a session of the native replayer, barrier and all, without any cgroup. */
async function replay(session: Omit<ReplaySession, 'name' | 'agent' | 'startAfter'>, mode: 'time' | 'work' = 'work') {
  const dir = mkdtempSync(join(tmpdir(), 'acg-replay-'));
  dirs.push(dir);
  const files = new ReplayFiles(dir, { mode, pauseMs: 10_000, cacheDir: join(dir, 'cache') });
  const argv = files.write({ name: 's', startAfter: 0, agent: { anon: 2 * MIB, file: 0 }, ...session });
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  while (files.read('s').ready === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(files.read('s').calls).toEqual([]);
  const t0 = Number(process.hrtime.bigint()) / 1e6 + 30;
  writeFileSync(files.go, String(Math.round(t0 * 1e6)));
  const status = await ended;
  return { status, t0, log: files.read('s'), dir };
}

test('a session waits for the barrier, and its calls do what their shapes say, one after the other', async () => {
  const { status, t0, log } = await replay({ calls: [call(), call({ after: 80, workers: 2 })] });
  expect(status).toBe(0);
  expect(log.fin).toBeGreaterThan(t0);
  expect(log.calls.map((c) => [c.n, c.attempt, c.status, c.feedback])).toEqual([
    [0, 0, 0, false],
    [1, 0, 0, false],
  ]);
  const [first, second] = log.calls;
  expect(first!.asked).toBeGreaterThanOrEqual(t0);
  expect(first!.start).toBeGreaterThanOrEqual(first!.asked);
  expect(first!.end! - first!.start!).toBeGreaterThanOrEqual(99);
  expect(second!.asked - first!.end!).toBeGreaterThanOrEqual(79);
  // 5 MiB in one process, 2 whole MiB in each of two
  expect(log.growthUs).toHaveLength(9);
});

test('what is killed is tried again, smaller for who was told why', async () => {
  // the program that control sees: the script says that control has spoken, and dies as a killed call does
  const die = 'echo "[agentcgroup] killed" >&2; exit 137';
  const dir = mkdtempSync(join(tmpdir(), 'acg-live-'));
  dirs.push(dir);
  const { log } = await replay({ calls: [{ after: 0, live: die, cwd: dir }, call({ retries: 2, smaller: 0.5 })] });
  expect(log.calls.map((c) => [c.n, c.attempt, c.status, c.feedback])).toEqual([
    [0, 0, 137, true],
    [1, 0, 0, false],
  ]);
});

test('a command that leaves something in the background is over when its shell is', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'acg-live-'));
  dirs.push(dir);
  const live = 'sh -c "sleep 60; :" > /dev/null 2>&1 & echo $! > pid';
  const { log } = await replay({ calls: [{ after: 0, live, cwd: dir }] });
  // throws when it does not run any more
  process.kill(Number(readFileSync(join(dir, 'pid'), 'utf8')), 'SIGKILL');
  expect(log.calls.map((c) => c.status)).toEqual([0]);
});

test('files are read into the page cache, CPU time is used', async () => {
  const shape = [{ at: 100, anon: 0, file: 3 * MIB, cpu: 0.5 }];
  const { status, log } = await replay({ calls: [call({ shape })] });
  expect([status, log.calls[0]!.status]).toEqual([0, 0]);
});

test('commands that are more than plain words are refused', () => {
  const dir = mkdtempSync(join(tmpdir(), 'acg-replay-'));
  dirs.push(dir);
  const files = new ReplayFiles(dir, { mode: 'work', pauseMs: 100 });
  const session = (command: string) => ({
    name: 's',
    startAfter: 0,
    agent: { anon: 0, file: 0 },
    calls: [call({ command })],
  });
  for (const command of ['pytest; rm -rf /', 'a $(b)', 'a `b`', "a 'b'"])
    expect(() => files.write(session(command)), command).toThrow(/plain words/);
  expect(files.write(session('npm run test:unit -- --all=1'))).toHaveLength(3);
});
