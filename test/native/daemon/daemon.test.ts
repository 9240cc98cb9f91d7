import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cannotRun, cgroup2Mount, isAlive } from '../scratch.ts';
import { TestDaemon } from './harness.ts';

const until = (condition: () => boolean | Promise<boolean>) =>
  expect.poll(condition, { timeout: 10_000, interval: 20 }).toBe(true);

describe.skipIf(cannotRun)(`the daemon${cannotRun ? ` (${cannotRun})` : ''}`, () => {
  test('run: the agent keeps its streams and status, each call gets a cgroup and a record, nothing is left', async () => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!);
    const agent = `
      const { spawnSync } = require('node:child_process');
      const call = (command) => spawnSync('/bin/sh', ['-c', command], { encoding: 'utf8' });
      console.log(call('sed -n s/^0:://p /proc/self/cgroup').stdout.trim());
      console.log(call('exit 5').status, call('kill -9 $$').status);
      process.stdin.on('data', (d) => process.stderr.write('got ' + d)).on('end', () => process.exit(9));`;
    const { status, stdout, stderr } = daemon.run(['--name', 'one'], [process.execPath, '-e', agent], 'input');
    expect(stdout).toMatch(/\/tenant-default\/session-one\/tool-1\n5 137\n$/);
    expect(stderr).toBe('got input');
    expect(status).toBe(9);
    expect(await daemon.client.sessions()).toEqual([]);
    expect(daemon.root.children()).toEqual([]);
    expect(readdirSync(join(daemon.paths.runDir, 'sessions'))).toEqual([]);
    const [trace] = readdirSync(daemon.paths.traceDir);
    const records = readFileSync(join(daemon.paths.traceDir, trace!), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const calls = records.filter((r) => r.type === 'call');
    expect(calls.map((c) => [c.call, c.exitCode, c.signal, c.via])).toEqual([
      ['one.1', 0, null, 'shim'],
      ['one.2', 5, null, 'shim'],
      ['one.3', null, 'SIGKILL', 'shim'],
    ]);
    expect(calls[1].command).toBe('exit 5');
    expect(calls[0].cpuUserUsec + calls[0].cpuSystemUsec).toBeGreaterThan(0);
    expect(records.at(-1)).toMatchObject({ type: 'session', exitCode: 9, signal: null });
  });

  test('a background process keeps its call, listed as such, until it ends or the session does', async () => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!);
    const session = await daemon.session();
    await session.shell('sleep 1000 >/dev/null 2>&1 & exit 0').ended;
    await session.shell('setsid sleep 1001 >/dev/null 2>&1 & exit 4').ended;
    await until(async () => (await session.calls()).every((call) => call.state === 'background'));
    const [first, second] = await session.calls();
    expect(first).toMatchObject({ state: 'background', background: true, exitCode: 0 });
    const killed = await daemon.client.killCall(first!.call);
    expect(killed).toMatchObject({ state: 'ended', exitCode: 0, killedBy: 'session' });
    await expect(daemon.client.createSession({ name: session.id })).rejects.toMatchObject({
      code: 'ACG_SESSION_EXISTS',
    });
    await daemon.client.endSession(session.id);
    await expect(daemon.client.endSession(session.id)).rejects.toMatchObject({ code: 'ACG_NO_SESSION' });
    expect(daemon.root.children()).toEqual([]);
    expect(second!.exitCode).toBe(4);
    expect(await daemon.client.sessions()).toEqual([]);
  });

  test('a killed shim takes its whole call along', async () => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!);
    const session = await daemon.session();
    const pidFile = join(daemon.dir, 'pid');
    const shell = session.shell(`setsid sleep 1000 >/dev/null & echo $! > ${pidFile}; sleep 1000`);
    await until(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8').endsWith('\n'));
    const orphan = Number(readFileSync(pidFile, 'utf8'));
    process.kill(shell.pid, 'SIGKILL');
    await shell.ended;
    await until(async () => (await session.calls()).every((call) => call.state === 'ended'));
    await until(() => !isAlive(orphan));
    expect((await session.calls())[0]).toMatchObject({ killedBy: 'agent', signal: 'SIGKILL' });
  });

  test('kill -9 of the daemon disturbs no call; the next one lists every session and call', async () => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!);
    const session = await daemon.session({ name: 'kept', tenant: 'acme', priority: 'low' });
    const go = join(daemon.dir, 'go');
    await session.shell('exit 3').ended;
    await session.shell('sleep 1000 >/dev/null 2>&1 &').ended;
    const { end } = await daemon.client.call('kept.2');
    const waiting = (code: number) => session.shell(`while [ ! -e ${go} ]; do sleep 0.05; done; exit ${code}`);
    const long = [waiting(11), waiting(12)];
    await until(async () => (await session.calls()).filter((call) => call.state === 'running').length === 2);
    // the cgroup of the fifth call is made ahead; the next daemon, which has begun none, takes it away
    const cgroups = () => session.agent.parent.children().map((cgroup) => cgroup.name);
    await until(() => cgroups().includes('tool-5'));
    for (let crash = 0; crash < 3; crash++) {
      await daemon.crash();
      await daemon.startProcess();
    }
    expect(cgroups()).not.toContain('tool-5');
    // one more call ends while nobody is there to be told
    await daemon.crash();
    writeFileSync(go, '');
    expect((await Promise.all(long.map((shell) => shell.ended))).map((status) => status?.code)).toEqual([11, 12]);
    await daemon.startProcess();
    expect(await daemon.client.sessions()).toMatchObject([
      { session: 'kept', tenant: 'acme', priority: 'low', state: 'running' },
    ]);
    await until(async () => (await session.calls()).filter((call) => call.state === 'ended').length === 3);
    const ends = (await session.calls()).map((call) => [call.call, call.state, call.exitCode]);
    expect(ends).toEqual([
      ['kept.1', 'ended', 3],
      ['kept.2', 'background', 0],
      ['kept.3', 'ended', 11],
      ['kept.4', 'ended', 12],
    ]);
    expect((await session.calls())[1]).toMatchObject({ end });
    expect(await daemon.client.sessions()).toMatchObject([{ callsDone: 3, callsBackground: 1 }]);
    await session.shell('exit 0').ended;
    expect((await session.calls()).at(-1)?.call).toBe('kept.5');
  });

  test('sessions of one name, one right after the other, have nothing in common: the next daemon comes up', async () => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!);
    let session = await daemon.session({ name: 'again' });
    const traces = new Set<string>();
    for (let run = 0; run < 5; run++) {
      await session.shell('exit 3').ended;
      traces.add((await daemon.client.endSession('again')).trace!);
      rmSync(session.shimDirectory, { recursive: true });
      session = await daemon.session({ name: 'again' });
    }
    expect(traces.size).toBe(5);
    const shell = session.shell('sleep 1000');
    await until(async () => (await session.calls()).length === 1);
    await daemon.crash();
    await daemon.startProcess();
    expect(await session.calls()).toMatchObject([{ call: 'again.1', state: 'running', command: 'sleep 1000' }]);
    await daemon.client.killCall('again.1');
    await shell.ended;
  });

  test('the configuration is read again on request, and stays as it was when the new one is wrong', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'acg-config-'));
    const file = join(dir, 'a.yaml');
    try {
      writeFileSync(file, 'call: { pids: 100 }\n');
      await using daemon = await TestDaemon.start(cgroup2Mount()!, ['--config', file]);
      expect((await daemon.client.config()).call.pids).toBe(100);
      writeFileSync(file, 'call: { pids: 200 }\n');
      expect((await daemon.client.reloadConfig()).call.pids).toBe(200);
      writeFileSync(file, 'call: { pids: many }\n');
      await expect(daemon.client.reloadConfig()).rejects.toMatchObject({ code: 'ACG_CONFIG' });
      expect((await daemon.client.config()).call.pids).toBe(200);
      // SIGHUP does the same; what runs is not touched
      const session = await daemon.session();
      const running = session.shell('sleep 1; exit 3');
      writeFileSync(file, 'call: { pids: 300 }\n');
      daemon.process.kill('SIGHUP');
      await until(async () => (await daemon.client.config()).call.pids === 300);
      expect(await running.ended).toMatchObject({ code: 3 });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test('a session has the priority of its tenant, or a lower one; what is asked beyond that is said not to be in force', async () => {
    await using daemon = await TestDaemon.configured(cgroup2Mount()!, 'tenants: { prod: { priority: high } }\n');
    const { client } = daemon;
    expect(await client.createSession({ tenant: 'prod' })).toMatchObject({ priority: 'high', notEnforced: [] });
    const lower = { tenant: 'prod', priority: 'low' } as const;
    expect(await client.createSession(lower)).toMatchObject({ priority: 'low', notEnforced: [] });
    expect(await client.createSession({ tenant: 'dev', priority: 'high' })).toMatchObject({
      priority: 'normal',
      notEnforced: ['priority high: tenant dev allows normal (tenants.dev.priority)'],
    });
  });

  test('a dry run says what it would have done, and does nothing', async () => {
    await using daemon = await TestDaemon.configured(cgroup2Mount()!, 'call: { timeLimit: 200ms }\n', ['--dry-run']);
    const session = await daemon.session();
    expect(await session.shell('sleep 1; exit 4').ended).toMatchObject({ code: 4 });
    const [call] = await session.calls();
    expect(call).toMatchObject({ exitCode: 4 });
    expect(call!.feedback).toBeUndefined();
    expect(call!.explanations!.map((e) => e.text).join()).toMatch(
      /would have: killed it: ran for \d+ ms, limit 200 ms/,
    );
  });

  test('the API describes itself', async () => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!);
    const text = await new Promise<string>((done, failed) => {
      const ask = { socketPath: daemon.paths.apiSocket, path: '/v1/openapi.json' };
      get(ask, (answer) => answer.toArray().then((parts) => done(Buffer.concat(parts).toString()))).on('error', failed);
    });
    const document = JSON.parse(text);
    expect(document.openapi).toMatch(/^3\./);
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining(['/v1/health', '/v1/sessions', '/v1/calls/{call}']),
    );
    const { post } = document.paths['/v1/sessions'];
    expect(post.requestBody.content['application/json'].schema.properties).toHaveProperty('memoryBytes');
  });

  test('the session ends with the process that owns it', async () => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!);
    const pidFile = join(daemon.dir, 'pid');
    const { spawn } = await import('node:child_process');
    const cli = new URL('../../../bin/agentcgroup.js', import.meta.url).pathname;
    const script = `setsid sleep 1000 & echo $! > ${pidFile}; wait`;
    const args = [cli, 'run', '--quiet', '--run-dir', daemon.paths.runDir, '--', 'bash', '-c', script];
    const run = spawn(process.execPath, args, { stdio: 'ignore' });
    await until(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8').endsWith('\n'));
    run.kill('SIGKILL');
    await until(async () => (await daemon.client.sessions()).length === 0);
    await until(() => !isAlive(Number(readFileSync(pidFile, 'utf8'))));
    expect(daemon.root.children()).toEqual([]);
  });

  test('a tenant gets no more sessions than it may have, asked for at once or not', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'acg-config-'));
    const file = join(dir, 'a.yaml');
    try {
      writeFileSync(file, 'tenants: { few: { maxSessions: 2 } }\n');
      await using daemon = await TestDaemon.start(cgroup2Mount()!, ['--config', file]);
      const asked = await Promise.allSettled([1, 2, 3, 4].map(() => daemon.client.createSession({ tenant: 'few' })));
      expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
      await expect(daemon.client.createSession({ tenant: 'few' })).rejects.toMatchObject({ code: 'ACG_LIMIT' });
      expect(await daemon.client.sessions()).toHaveLength(2);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test('a session whose cgroups could not be removed is ended when it is told to once more', async (context) => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!);
    const session = await daemon.session({ name: 'stuck' });
    const { spawnSync } = await import('node:child_process');
    const empty = join(daemon.dir, 'empty');
    mkdirSync(empty);
    // a directory that something is mounted on cannot be removed
    if (spawnSync('mount', ['--bind', empty, session.agent.path]).status !== 0) return context.skip('may not mount');
    try {
      await expect(daemon.client.endSession('stuck')).rejects.toMatchObject({ code: 'ACG_CGROUP_FILE' });
    } finally {
      spawnSync('umount', [session.agent.path]);
    }
    expect(await daemon.client.endSession('stuck')).toMatchObject({ state: 'ended' });
    expect(daemon.root.children()).toEqual([]);
  });

  test('a second daemon on the same tree or folder is refused', async () => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!);
    const { spawnSync } = await import('node:child_process');
    const cli = new URL('../../../bin/agentcgroup.js', import.meta.url).pathname;
    for (const args of [
      ['--run-dir', daemon.paths.runDir],
      ['--run-dir', join(daemon.dir, 'other'), '--cgroup-root', daemon.root.path],
    ]) {
      const { status, stderr } = spawnSync(process.execPath, [cli, 'daemon', ...args], {
        encoding: 'utf8',
        timeout: 20_000,
      });
      expect(stderr).toContain('ACG_DAEMON_RUNNING');
      expect(status).toBe(73);
    }
    expect((await daemon.client.health()).pid).toBe(daemon.process.pid);
  });
});
