import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { cannotRun, cgroup2Mount, scratchDirectory } from '../scratch.ts';
import { TestDaemon } from './harness.ts';

const cgroupOf = (pid: number) => readFileSync(`/proc/${pid}/cgroup`, 'utf8').match(/^0::(.*)$/m)?.[1] ?? '';

/** An agent that starts other programs than shells, tells their pids, and does not wait for them. */
const agent = `
  const { spawn, fork } = require('node:child_process');
  const { writeFileSync } = require('node:fs');
  const start = (file, ...args) => spawn(file, args, { stdio: 'ignore' }).pid;
  const early = start('/bin/sleep', '1000');
  setTimeout(() => {
    spawn(process.env.BASH_SHIM, ['-c', 'exit 0'], { stdio: 'ignore' }).on('exit', () => setTimeout(() => {
      const pids = {
        early,
        same: start('/bin/sleep', '1001'),
        worker: start(process.execPath, '-e', 'setTimeout(() => {}, 1e6)'),
        helper: start('/usr/bin/tail', '-f', '/dev/null'),
        stray: start(process.env.STRAY, '1002'),
        tree: start('/usr/bin/env', '-S', process.execPath, '-e', 'setTimeout(() => {}, 1e6)'),
        shell: start(process.env.BASH_SHIM, '-c', 'sleep 1003; true'),
        main: process.pid,
      };
      writeFileSync(process.env.PIDS + '.new', JSON.stringify(pids));
      require('node:fs').renameSync(process.env.PIDS + '.new', process.env.PIDS);
    }, 600));
  }, 600);
`;

describe.skipIf(cannotRun)(`adoption${cannotRun ? ` (${cannotRun})` : ''}`, () => {
  for (const adopt of ['children', 'off'] as const)
    test(`adopt: ${adopt}`, { timeout: 120_000 }, async () => {
      using scratch = scratchDirectory();
      const config = join(scratch.path, 'agentcgroup.yaml');
      writeFileSync(config, `intercept: { adopt: ${adopt}, adoptAfter: 500ms, helpers: [tail] }\n`);
      const stray = join(scratch.path, 'static-tool');
      copyFileSync('/bin/sleep', stray);
      await using daemon = await TestDaemon.start(cgroup2Mount()!, ['--config', config]);
      const session = await daemon.session({ name: 'a' });
      const file = join(scratch.path, 'pids');
      session.spawn(process.execPath, ['agent', '-e', agent], {
        PIDS: file,
        STRAY: stray,
        BASH_SHIM: join(session.shimDirectory, 'bin/bash'),
      });
      await expect.poll(() => existsSync(file), { timeout: 30_000 }).toBe(true);
      const pids = JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>;
      const callsNow = () => daemon.client.calls({ session: 'a' });
      const place = (name: string) => cgroupOf(pids[name]!).split('/').at(-1);
      if (adopt === 'children') await expect.poll(() => place('stray'), { timeout: 20_000 }).toMatch(/^tool-/);
      else await sleep(2500);

      // what is the agent's stays with it: what it started early, programs it ran then, its helpers, its shims
      for (const name of ['main', 'early', 'same', 'worker', 'helper', 'shell'])
        expect([name, place(name)]).toEqual([name, 'agent']);
      const adopted = (await callsNow()).filter((call) => call.via === 'adopted');
      if (adopt === 'off') {
        expect(place('stray')).toBe('agent');
        expect(adopted).toEqual([]);
      } else {
        expect(adopted).toMatchObject([{ command: `${stray} 1002`, tool: 'process', state: 'running' }]);
        // a restarted daemon keeps it, and hears of its end
        await daemon.crash();
        await daemon.startProcess();
        expect((await daemon.client.call(adopted[0]!.call)).state).toBe('running');
        process.kill(pids.stray!, 'SIGKILL');
        await expect
          .poll(async () => (await daemon.client.call(adopted[0]!.call)).state, { timeout: 15_000 })
          .toBe('ended');
        expect(await daemon.client.call(adopted[0]!.call)).toMatchObject({ exitCode: null, signal: null });
        expect(await daemon.client.call(adopted[0]!.call)).not.toHaveProperty('killedBy');
      }
      await daemon.client.endSession('a');
      expect(daemon.root.children()).toEqual([]);
    });

  test('a process that cannot be moved leaves no call behind it when it ends', async (context) => {
    using scratch = scratchDirectory();
    const config = join(scratch.path, 'agentcgroup.yaml');
    writeFileSync(config, 'intercept: { adopt: children, adoptAfter: 300ms }\n');
    const stray = join(scratch.path, 'static-tool');
    copyFileSync('/bin/sleep', stray);
    await using daemon = await TestDaemon.start(cgroup2Mount()!, ['--config', config]);
    const session = await daemon.session({ name: 'b' });
    const go = join(scratch.path, 'go');
    const script = `const { existsSync } = require('node:fs');
      const look = setInterval(() => {
        if (!existsSync('${go}')) return;
        clearInterval(look);
        require('node:child_process').spawn('${stray}', ['1002'], { stdio: 'ignore' });
      }, 50);`;
    session.spawn(process.execPath, ['agent', '-e', script]);
    await sleep(500);
    const shell = session.shell('exit 0');
    await shell.ended;
    // the next call's cgroup, made ahead: nothing can be written to it
    const procs = join(session.agent.parent.path, 'tool-2/cgroup.procs');
    await expect.poll(() => existsSync(procs), { timeout: 5000 }).toBe(true);
    if (spawnSync('mount', ['--bind', '/dev/full', procs]).status !== 0) return context.skip('may not mount');
    try {
      writeFileSync(go, '');
      await expect.poll(() => daemon.log, { timeout: 10_000 }).toContain('could not look for processes without a call');
    } finally {
      spawnSync('umount', [procs]);
    }
    // it stays where it is, and what was made of it ends with it
    const adopted = async () =>
      (await session.calls()).filter(({ via }) => via === 'adopted').map(({ state }) => state);
    expect(await adopted()).toEqual(['running']);
    const pid = session.agent.procs().find((p) => readFileSync(`/proc/${p}/cmdline`, 'utf8').startsWith(stray))!;
    process.kill(pid, 'SIGKILL');
    await expect.poll(adopted, { timeout: 10_000 }).toEqual(['ended']);
  });
});
