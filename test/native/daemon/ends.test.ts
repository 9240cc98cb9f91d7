import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Cgroup } from '../../../src/control/cgroup/index.ts';
import { watchExit } from '../../../src/control/native/index.ts';
import { attach } from '../../../src/index.ts';
import { cannotRun, cgroup2Mount } from '../scratch.ts';
import { TestDaemon, type TestSession } from './harness.ts';

const until = (condition: () => boolean | Promise<boolean>) =>
  expect.poll(condition, { timeout: 10_000, interval: 20 }).toBe(true);

/** A daemon with this configuration. */
const configured = (yaml: string) => TestDaemon.configured(cgroup2Mount()!, yaml);

/** The session's only call, once it is there and its command runs. */
async function running(session: TestSession) {
  await until(async () => {
    const [call] = await session.calls();
    return call !== undefined && new Cgroup(call.cgroup!).populated();
  });
  const [call] = await session.calls();
  return { call: call!, cgroup: new Cgroup(call!.cgroup!) };
}

/** The daemon has killed a call at its time limit and died: its shim, stopped meanwhile, has told nobody of the end. */
async function diedAfterKill(daemon: TestDaemon) {
  const session = await daemon.session();
  const shell = session.shell('sleep 1000');
  const { cgroup } = await running(session);
  process.kill(shell.pid, 'SIGSTOP');
  await until(() => !cgroup.populated());
  await daemon.crash();
  return { session, shell };
}

describe.skipIf(cannotRun)(`what is known of an end${cannotRun ? ` (${cannotRun})` : ''}`, () => {
  describe('a daemon that dies between a kill and its record: the next one says who did it, and why', () => {
    test('to a shim that reports the end to the next one', async () => {
      await using daemon = await configured('call: { timeLimit: 500ms }\n');
      const { session, shell } = await diedAfterKill(daemon);
      await daemon.startProcess();
      process.kill(shell.pid, 'SIGCONT');
      expect(await shell.ended).toMatchObject({ code: 137 });
      await until(async () => (await session.calls())[0]?.state === 'ended');
      expect(await session.calls()).toMatchObject([
        { killedBy: 'limit', signal: 'SIGKILL', feedback: { kind: 'time' } },
      ]);
    });

    test('of a call whose shim is gone as well', async () => {
      await using daemon = await configured('call: { timeLimit: 500ms }\n');
      const { session, shell } = await diedAfterKill(daemon);
      process.kill(shell.pid, 'SIGKILL');
      await shell.ended;
      await daemon.startProcess();
      await until(async () => (await session.calls())[0]?.state === 'ended');
      expect(await session.calls()).toMatchObject([{ killedBy: 'limit', signal: 'SIGKILL' }]);
    });

    test('and does what was only noted', async () => {
      await using daemon = await configured('');
      const session = await daemon.session();
      const shell = session.shell('sleep 1000');
      const { cgroup } = await running(session);
      await daemon.crash();
      const noted = JSON.parse(cgroup.note('call')!);
      cgroup.setNote('call', JSON.stringify({ ...noted, killedBy: 'ladder', killReason: 'ceiling' }));
      await daemon.startProcess();
      expect(await shell.ended).toMatchObject({ code: 137 });
      await until(async () => (await session.calls())[0]?.state === 'ended');
      expect(await session.calls()).toMatchObject([
        { killedBy: 'ladder', signal: 'SIGKILL', feedback: { kind: 'ceiling' } },
      ]);
    });
  });

  test('a daemon that is stopped waits for nobody, and the next one hears of every end', async () => {
    await using daemon = await configured('');
    const session = await daemon.session({ name: 'stopped' });
    const stopped = session.shell('sleep 1000');
    await running(session);
    const go = join(daemon.dir, 'go');
    const other = session.shell(`while [ ! -e ${go} ]; do sleep 0.05; done; exit 7`);
    await until(async () => (await session.calls()).length === 2);
    // a shim that does not report the end keeps who has asked for the kill waiting
    process.kill(stopped.pid, 'SIGSTOP');
    const kill = daemon.client.killCall('stopped.1');
    kill.catch(() => {});
    await until(async () => (await session.calls()).some(({ killedBy }) => killedBy === 'session'));
    const begin = performance.now();
    await daemon.crash('SIGTERM');
    expect(performance.now() - begin).toBeLessThan(5000);
    await expect(kill).rejects.toMatchObject({ code: 'ACG_NO_DAEMON' });
    writeFileSync(go, '');
    expect(await other.ended).toMatchObject({ code: 7 });
    await daemon.startProcess();
    process.kill(stopped.pid, 'SIGCONT');
    await stopped.ended;
    await until(async () => (await session.calls()).every(({ state }) => state === 'ended'));
    expect(await session.calls()).toMatchObject([{ killedBy: 'session', signal: 'SIGKILL' }, { exitCode: 7 }]);
    expect((await session.calls())[1]!.killedBy).toBeUndefined();
  });

  test('a program that started its command itself is told why the policy killed it', async () => {
    await using daemon = await configured('call: { timeLimit: 500ms }\n');
    await using session = await attach({ runDir: daemon.paths.runDir });
    const call = await session.toolCall();
    expect(await call.spawn('sleep', ['1000'])).toMatchObject({
      killedBy: 'limit',
      signal: 'SIGKILL',
      feedback: { kind: 'time' },
    });
  });

  test('a program that is gone without a word takes its calls along, as a shim does', async () => {
    await using daemon = await configured('');
    const session = await daemon.session({ name: 'joined' });
    const script = `
      const { attach } = await import(${JSON.stringify(resolve('src/index.ts'))});
      const session = await attach();
      const call = await session.toolCall();
      call.spawn('sleep', ['1000']);
      await session.toolCall();`;
    const env = { AGENTCGROUP_SESSION: 'joined', AGENTCGROUP_API: daemon.paths.apiSocket };
    const program = session.spawn(process.execPath, ['node', '--input-type=module', '-e', script], env);
    const ended = new Promise((done) => void watchExit(program, done));
    await until(async () => (await session.calls()).length === 2);
    const { cgroup } = await running(session);
    process.kill(program.pid, 'SIGKILL');
    await ended;
    await until(() => !cgroup.populated());
    await until(async () => (await session.calls()).every(({ state }) => state === 'ended'));
    expect(await session.calls()).toMatchObject([{ killedBy: 'agent', signal: 'SIGKILL' }, { exitCode: null }]);
    expect((await session.calls())[1]!.killedBy).toBeUndefined();
  });

  test('who has asked for a kill is answered, even when the cgroup cannot be removed', async (context) => {
    await using daemon = await configured('');
    const session = await daemon.session();
    session.shell('sleep 1000');
    const { call, cgroup } = await running(session);
    const [inner, empty] = [cgroup.create('inner').path, join(daemon.dir, 'empty')];
    mkdirSync(empty);
    // a directory that something is mounted on cannot be removed
    if (spawnSync('mount', ['--bind', empty, inner]).status !== 0) return context.skip('may not mount');
    const umount = () => void spawnSync('umount', [inner]);
    onTestFinished(umount);
    expect(await daemon.client.killCall(call.call)).toMatchObject({ state: 'ended', killedBy: 'session' });
    umount();
  });

  test('a shim that has had no answer in time: the command ran without us, and nobody has killed anything', async () => {
    await using daemon = await configured('');
    const session = await daemon.session({}, { waitMs: 300 });
    const ran = join(daemon.dir, 'ran');
    daemon.process.kill('SIGSTOP');
    const script = `touch ${ran}; sleep 1; exit 4`;
    const shell = session.shell(script);
    await until(() => existsSync(ran));
    daemon.process.kill('SIGCONT');
    await until(async () => (await session.calls())[0]?.state === 'ended');
    expect(await shell.ended).toMatchObject({ code: 4 });
    const [call] = await session.calls();
    expect(call).toMatchObject({ exitCode: null, signal: null, command: script });
    expect(call!.killedBy).toBeUndefined();
    expect(call!.explanations!.map(({ text }) => text)).toEqual([
      'nothing of it ran under control: who asked for it was gone before anything was started',
    ]);
    expect((await daemon.client.sessions())[0]).toMatchObject({ callsRunning: 0, callsKilled: 0 });
    expect(session.agent.parent.child('tool-1').exists()).toBe(false);
  });

  test('a call that the policy refuses is not run, not even without control; its number is not given again', async () => {
    await using daemon = await configured('session: { maxCalls: 1 }\n');
    const session = await daemon.session({ name: 'full' });
    const first = session.shell('sleep 1000');
    await running(session);
    const ran = join(daemon.dir, 'ran');
    expect(await session.shell(`touch ${ran}`).ended).toMatchObject({ code: 126 });
    expect(existsSync(ran)).toBe(false);
    const refused = await daemon.client.call('full.2');
    expect(refused).toMatchObject({ state: 'ended', exitCode: null, signal: null, command: `touch ${ran}` });
    expect(refused.explanations!.at(-1)!.text).toContain('the session already runs 1 calls, its limit');
    await daemon.client.killCall('full.1');
    await first.ended;
    await daemon.crash();
    await daemon.startProcess();
    expect(await session.shell('exit 3').ended).toMatchObject({ code: 3 });
    expect((await session.calls()).at(-1)).toMatchObject({ call: 'full.3', exitCode: 3 });
  });

  test('a session whose trace cannot be opened keeps nobody else from being taken over', async () => {
    await using daemon = await configured('');
    const [broken, whole] = [await daemon.session(), await daemon.session()];
    const { trace } = (await daemon.client.sessions()).find(({ session }) => session === broken.id)!;
    await daemon.crash();
    rmSync(trace!);
    mkdirSync(trace!);
    await daemon.startProcess();
    expect((await daemon.client.sessions()).map(({ session }) => session)).toEqual([whole.id]);
    expect(daemon.log).toContain(`could not take over session ${broken.id}`);
    expect(await whole.shell('exit 3').ended).toMatchObject({ code: 3 });
    // the next daemon tries again
    await daemon.crash();
    rmSync(trace!, { recursive: true });
    await daemon.startProcess();
    expect(await daemon.client.sessions()).toHaveLength(2);
  });
});
