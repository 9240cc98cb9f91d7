import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { watchExit } from '../../../src/control/native/index.ts';
import { cannotRun, cgroup2Mount, scratchDirectory } from '../scratch.ts';
import { TestDaemon } from './harness.ts';

const load = resolve(import.meta.dirname, '../../fixtures/call-load.mjs');
const openFds = (pid: number) => readdirSync(`/proc/${pid}/fd`).length;

describe.skipIf(cannotRun)(`many calls${cannotRun ? ` (${cannotRun})` : ''}`, () => {
  test('10,000 at 8 at a time leave no cgroup, process, socket, descriptor or file behind', async () => {
    // a loaded machine may keep the daemon from answering for longer than shims wait (3 s): calls then run without, as configured
    using folder = scratchDirectory();
    const config = join(folder.path, 'agentcgroup.yaml');
    writeFileSync(config, 'intercept: { wait: 60s }\n');
    await using daemon = await TestDaemon.start(cgroup2Mount()!, ['--config', config]);
    daemon.run([], ['true']);
    const before = { fds: openFds(daemon.process.pid!), files: readdirSync(daemon.paths.runDir).sort() };
    const kinds = [
      ['true', 94],
      ['exit 7', 2],
      ['kill -9 $$', 1],
      ['kill -TERM $$', 1],
      ['sleep 1000 >/dev/null 2>&1 & exit 0', 1],
      ['setsid sleep 1000 >/dev/null 2>&1 & kill -9 $$', 1],
    ];
    const result = daemon.run(['--name', 'soak'], [process.execPath, load, '10000', '8', JSON.stringify(kinds)]);
    expect(result.stderr).toBe('');
    expect(JSON.parse(result.stdout)).toEqual({ statuses: { 0: 9500, 7: 200, 137: 200, 143: 100 }, noted: 0 });
    expect(daemon.root.children()).toEqual([]);
    expect(readdirSync(daemon.paths.runDir).sort()).toEqual(before.files);
    expect(openFds(daemon.process.pid!)).toBeLessThanOrEqual(before.fds);
    const trace = readdirSync(daemon.paths.traceDir).find((file) => file.startsWith('soak-'))!;
    const lines = readFileSync(join(daemon.paths.traceDir, trace), 'utf8').trim().split('\n');
    const calls = new Map(
      lines
        .map((line) => JSON.parse(line))
        .filter((r) => r.type === 'call')
        .map((r) => [r.call, r]),
    );
    expect(calls.size).toBe(10_000);
    const records = [...calls.values()];
    expect(records.filter((call) => call.background).length).toBe(200);
    expect(records.filter((call) => call.signal === 'SIGKILL').length).toBe(200);
    expect(records.every((call) => call.end !== undefined)).toBe(true);
  }, 300_000);

  test('kill -9 or a stop of the daemon at 20 moments of a running load: no call is disturbed or lost', async () => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!);
    // as above: until a daemon is there again
    const session = await daemon.session({ name: 'load' }, { waitMs: 60_000 });
    const kinds = [
      ['sleep 0.2', 3],
      ['true', 5],
      ['exit 3', 2],
    ];
    const out = join(daemon.dir, 'out');
    const script = `exec "${process.execPath}" "${load}" 1200 4 '${JSON.stringify(kinds)}' > "${out}"`;
    // the load is the agent: it is started with the real shell and finds the shim by PATH
    const env = { PATH: `${session.shimDirectory}/bin:/usr/bin:/bin` };
    const agent = session.spawn('/bin/sh', ['sh', '-c', script], env);
    const ended = new Promise((done) => void watchExit(agent, done));
    for (let crash = 0; crash < 20; crash++) {
      await new Promise((done) => setTimeout(done, 37 * crash));
      await daemon.crash(crash % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
      await daemon.startProcess();
    }
    expect(await ended).toMatchObject({ code: 0 });
    expect(JSON.parse(readFileSync(out, 'utf8')).statuses).toEqual({ 0: 960, 3: 240 });
    await expect
      .poll(async () => (await session.calls()).every((call) => call.state === 'ended'), { timeout: 5000 })
      .toBe(true);
    const calls = await session.calls();
    expect(new Set(calls.map((call) => call.call)).size).toBe(1200);
    // of every call it is known how it ended, whichever of the daemons heard of it
    const unlike = calls.filter(({ command, exitCode }) => exitCode !== (command === 'exit 3' ? 3 : 0));
    expect(unlike).toEqual([]);
    expect(calls.filter(({ exitCode }) => exitCode === 3).length).toBe(240);
    expect(calls.filter((call) => call.killedBy !== undefined)).toEqual([]);
    await daemon.client.endSession('load');
    expect(daemon.root.children()).toEqual([]);
  }, 300_000);
});
