import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { getXattr, pidfdSendSignal, type Spawned } from '../../src/control/native/index.ts';
import { cannotRun, isAlive, statusOf } from './scratch.ts';
import { Session } from './session.ts';

const bash = (script: string) => ['bash', '-c', script];

const until = (condition: () => boolean) => expect.poll(condition, { timeout: 15_000, interval: 5 }).toBe(true);

/** Has the shim taken its signals to itself? From then on it decides what becomes of them. */
const listens = (pid: number) => ((BigInt(`0x${statusOf(pid, 'SigBlk') ?? 0}`) >> 14n) & 1n) === 1n;
/** Has it dealt with those it was sent? */
const heard = (pid: number) => /^0+$/.test(statusOf(pid, 'ShdPnd') ?? '');

describe.skipIf(cannotRun)(`the shim${cannotRun ? ` (${cannotRun})` : ''}`, () => {
  describe('a call', () => {
    test('is born in a cgroup of its own, and reported', async () => {
      await using session = await Session.start();
      session.daemon.answer = () => ({ opened: { oomScoreAdj: 7 }, closed: 'note' });
      const script = 'cat /proc/self/cgroup /proc/self/oom_score_adj; exit 3';
      const { stdout, stderr, code } = await session.run(session.shim('bash'), bash(script));
      expect(stdout).toMatch(/^0::.*\/tool-1$/m);
      expect(stdout).toMatch(/^7$/m);
      expect(stderr).toBe('note\n');
      expect(code).toBe(3);
      const [call] = session.daemon.calls;
      expect(call!.open).toMatchObject({
        shell: 'bash',
        args: bash(script),
        argBytes: Buffer.byteLength(script) + 9,
        cwd: expect.stringContaining('/acg-test-'),
        env: {},
        stdinIsTty: false,
        interactive: false,
      });
      expect(call!.ended).toMatchObject({ status: 3 << 8, maxRssKib: expect.any(Number) });
      expect(call!.pid).toBeGreaterThan(1);
    });

    test('tells what may be told of its environment, and cuts what is long', async () => {
      await using session = await Session.start();
      const env = { AGENT_RESOURCE_HINT: 'memory=1G', CODEX_SESSION_ID: 'x'.repeat(9000), SECRET: 'no' };
      await session.run(session.shim('bash'), ['bash', '-c', 'true', '_', 'y'.repeat(100_000), 'z'], { env });
      const { open } = session.daemon.calls[0]!;
      expect(Object.keys(open.env).sort()).toEqual(['AGENT_RESOURCE_HINT', 'CODEX_SESSION_ID']);
      expect(open.env.CODEX_SESSION_ID).toHaveLength(4096 - 'CODEX_SESSION_ID='.length);
      expect(open.args.join('')).toHaveLength(64 * 1024);
      expect(open.argBytes).toBe(100_018);
    });

    test('interactive and not', async () => {
      await using session = await Session.start();
      await session.run(session.shim('bash'), ['bash', '--norc', '-i', '-c', 'true']);
      await session.run(session.shim('bash'), ['bash', '--norc', '-c', 'true', '-i']);
      await session.run('/usr/bin/script', ['script', '-qec', `exec ${session.shim('sh')} -c true`, '/dev/null']);
      await session.run('/usr/bin/script', ['script', '-qec', `echo exit | ${session.shim('sh')}`, '/dev/null']);
      const flags = session.daemon.calls.map(({ open }) => [open.stdinIsTty, open.interactive]);
      expect(flags).toEqual([
        [false, true],
        [false, false],
        [true, false],
        [false, false],
      ]);
    });

    test('background processes keep running in it', async () => {
      await using session = await Session.start();
      const { stdout } = await session.run(session.shim('bash'), bash('sleep 1000 >/dev/null 2>&1 & echo $!'));
      await until(() => statusOf(Number(stdout), 'State')?.startsWith('S') === true);
      expect(readFileSync(`/proc/${Number(stdout)}/cgroup`, 'utf8')).toContain('/tool-1\n');
    });

    test('calls at once do not disturb each other', async () => {
      await using session = await Session.start();
      const results = await Promise.all(
        Array.from({ length: 30 }, (_, i) => session.run(session.shim('bash'), bash(`sleep 0.0${i % 7}; exit ${i}`))),
      );
      expect(results.map(({ code }) => code)).toEqual(Array.from({ length: 30 }, (_, i) => i));
    });

    test('nothing of the shim is left', async () => {
      await using session = await Session.start();
      await session.run(session.shim('bash'), bash('sleep 0.1'));
      await until(() => readFileSync(join(session.cgroup, 'agent/cgroup.procs'), 'utf8') === '');
    });
  });

  describe('verdicts', () => {
    test('plain: the real shell in place', async () => {
      await using session = await Session.start();
      session.daemon.answer = () => ({ opened: { verdict: 'plain' } });
      const { stdout, code } = await session.run(session.shim('bash'), bash('cat /proc/self/cgroup; exit 2'));
      expect(stdout).toMatch(/\/agent$/m);
      expect(code).toBe(2);
    });

    test('refused: 126, with the reason free of control characters', async () => {
      await using session = await Session.start();
      session.daemon.answer = () => ({ opened: { verdict: 'refused', text: 'no \u001b[31mroom\r' } });
      const result = await session.run(session.shim('bash'), bash('echo ran'));
      expect(result).toEqual({ stdout: '', stderr: 'no [31mroom\n', code: 126, signal: null });
    });

    test('an answer that takes its time is waited for when it was announced', async () => {
      await using session = await Session.start({ waitMs: 100 });
      session.daemon.answer = () => ({ messages: [{ type: 'queued' }], opened: {}, delayMs: 500 });
      const { stdout } = await session.run(session.shim('bash'), bash('cat /proc/self/cgroup'));
      expect(stdout).toMatch(/\/tool-1$/m);
    });

    test('a signal ends the wait; an ignored one does not', async () => {
      await using session = await Session.start();
      session.daemon.answer = () => ({ messages: [{ type: 'queued' }], opened: {}, delayMs: 1500 });
      const signalled = (argv: string[], file: string) =>
        session.run(file, argv, {}, async ({ pid, pidfd }) => {
          await until(() => listens(pid));
          pidfdSendSignal(pidfd, 'SIGTERM');
        });
      const ended = await signalled(bash('echo ran'), session.shim('bash'));
      expect(ended).toEqual({ stdout: '', stderr: '', code: 143, signal: null });
      const env = ['env', '--ignore-signal=TERM', session.shim('bash'), '-c', 'echo ran'];
      expect(await signalled(env, '/usr/bin/env')).toMatchObject({ stdout: 'ran\n', code: 0 });
    });
  });

  describe('without a daemon', () => {
    test('fail=open runs it where it is; fail=closed refuses it', async () => {
      for (const [fail, expected] of [
        ['open', { stdout: 'ran\n', stderr: '', code: 5 }],
        ['closed', { stdout: '', stderr: expect.stringContaining('no daemon answers'), code: 126 }],
      ] as const) {
        await using session = await Session.start({ fail, waitMs: 100 });
        await session.daemon.die();
        expect(await session.run(session.shim('bash'), bash('echo ran; exit 5'))).toMatchObject(expected);
      }
    });

    test('a daemon that accepts and says nothing is as good as none', async () => {
      await using session = await Session.start({ waitMs: 200 });
      session.daemon.answer = () => ({ messages: [] });
      expect(await session.run(session.shim('bash'), bash('cat /proc/self/cgroup'))).toMatchObject({
        stdout: expect.stringMatching(/\/agent$/m),
        code: 0,
      });
    });

    test('one that is being restarted is waited for', async () => {
      await using session = await Session.start();
      await session.daemon.die();
      const running = session.run(session.shim('bash'), bash('cat /proc/self/cgroup'));
      await sleep(300);
      await session.daemon.listen();
      expect((await running).stdout).toMatch(/\/tool-1$/m);
    });

    test('an error of the daemon counts as none', async () => {
      await using session = await Session.start({ fail: 'closed' });
      session.daemon.answer = () => ({ messages: [{ type: 'error', code: 'ACG_LIMIT', text: 'too many calls' }] });
      const { stderr, code } = await session.run(session.shim('bash'), bash('echo ran'));
      expect({ stderr, code }).toEqual({ stderr: expect.stringMatching(/^too many calls\n/), code: 126 });
    });

    test('outside of sessions, or where the shim directory is gone: the real shell, never a loop', async () => {
      await using session = await Session.start();
      const run = (env: Record<string, string>, argv: string[]) =>
        session.run('/usr/bin/env', ['env', ...Object.entries(env).map(([k, v]) => `${k}=${v}`), ...argv]);
      const away = await run({ AGENTCGROUP_SHIM_DIR: '/nowhere' }, [
        session.shim('bash'),
        '-c',
        'readlink /proc/$$/exe; :',
      ]);
      expect(away).toMatchObject({ stdout: '/usr/bin/bash\n', code: 0 });
      const nested = await session.run(session.shim('bash'), bash(`exec ${session.shim('dash')} -c 'exit 33'`));
      expect(nested.code).toBe(33);
      expect(session.daemon.calls).toHaveLength(1);
    });
  });

  describe('signals', () => {
    /** Runs a script, and does something when it is set up and the shim can tell a signal to it from one to all the group. */
    async function during(
      session: Session,
      setUp: string,
      script: string,
      act: (child: Spawned, shell: number) => Promise<void>,
    ) {
      const mark = join(session.directory.path, `mark-${Math.random()}`);
      const canary = () =>
        readFileSync(join(session.cgroup, 'agent/cgroup.procs'), 'utf8')
          .split('\n')
          .some((pid) => statusOf(Number(pid), 'Name') === 'acg-canary');
      return session.run(session.shim('bash'), bash(`${setUp}; echo up >${mark}; ${script}`), {}, async (child) => {
        await until(() => existsSync(mark) && session.daemon.calls.at(-1)?.pid !== undefined && canary());
        await act(child, session.daemon.calls.at(-1)!.pid!);
      });
    }
    const loop = 'for i in $(seq 100); do sleep 0.05; done';

    test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGQUIT', 34, 35, 64] as const)(
      'signal %s is passed on',
      async (signal) => {
        await using session = await Session.start();
        const result = await during(session, `trap "echo got; exit 9" ${signal}`, loop, async ({ pidfd }) =>
          pidfdSendSignal(pidfd, signal),
        );
        expect(result).toMatchObject({ stdout: 'got\n', code: 9 });
      },
    );

    test('one that ends the shell becomes 128+N, or the same with signal_exit=same', async () => {
      await using session = await Session.start();
      const end = async ({ pidfd }: Spawned) => pidfdSendSignal(pidfd, 'SIGTERM');
      expect(await during(session, ':', 'exec sleep 100', end)).toMatchObject({ code: 143, signal: null });
      await using same = await Session.start({ signalExit: 'same' });
      expect(await during(same, ':', 'exec sleep 100', end)).toMatchObject({ code: null, signal: 'SIGTERM' });
    });

    test('to the whole group: a trap runs once', async () => {
      await using session = await Session.start();
      for (let i = 0; i < 10; i++) {
        // the first sleep gets it as well
        const script = 'sleep 10; sleep 0.1; sleep 0.1; echo $n';
        const { stdout } = await during(session, "n=0; trap 'n=$((n+1))' TERM", script, async ({ pid }) => {
          process.kill(-pid, 'SIGTERM');
        });
        expect(stdout).toBe('1\n');
      }
    });

    test('to the group, then to the shim alone, then to the group: three', async () => {
      await using session = await Session.start();
      const count = join(session.directory.path, 'count');
      const script = 'i=0; while [ $n -lt 3 -a $((i+=1)) -lt 200 ]; do sleep 0.1 & wait $!; done; sleep 0.3; echo $n';
      const setUp = `n=0; trap 'n=$((n+1)); echo $n >>${count}' USR1`;
      const { stdout } = await during(session, setUp, script, async ({ pid }) => {
        for (const [i, target] of [-pid, pid, -pid].entries()) {
          process.kill(target, 'SIGWINCH');
          process.kill(target, 'SIGUSR1');
          // two of a kind that nobody has taken yet are one
          await until(() => heard(pid) && existsSync(count) && readFileSync(count, 'utf8').includes(`${i + 1}\n`));
        }
      });
      expect(stdout).toBe('3\n');
    });

    test('KILL to the shim ends the call; to the group as well', async () => {
      await using session = await Session.start();
      for (const group of [false, true]) {
        let inner = 0;
        const { signal } = await during(session, 'setsid sleep 1000 & :', 'sleep 1000', async ({ pid }, shell) => {
          inner = shell;
          process.kill(group ? -pid : pid, 'SIGKILL');
        });
        expect(signal).toBe('SIGKILL');
        const call = session.daemon.calls.at(-1)!;
        await until(() => call.lost === true);
        await until(() => readFileSync(join(call.cgroup, 'cgroup.events'), 'utf8').includes('populated 0'));
        await until(() => !isAlive(inner));
        await until(() => readFileSync(join(session.cgroup, 'agent/cgroup.procs'), 'utf8') === '');
      }
    });

    test.each(['SIGSTOP', 'SIGTSTP'] as const)(
      'a shell that %s stops takes the shim with it, and back',
      async (name) => {
        await using session = await Session.start();
        // TSTP stops nobody in an orphaned process group: a parent in the same session keeps it from being one.
        const python = `import os, signal, subprocess, sys, time
child = subprocess.Popen([sys.argv[1], '-c', 'sleep 2; echo woke'], process_group=0)
children = lambda: open('/proc/%d/task/%d/children' % (child.pid, child.pid)).read().split()
while not children(): time.sleep(0.01)
os.kill(*((child.pid, signal.SIGTSTP) if sys.argv[2] == 'SIGTSTP' else (int(children()[0]), signal.SIGSTOP)))
pid, status = os.waitpid(child.pid, os.WUNTRACED)
print(os.WIFSTOPPED(status), signal.Signals(os.WSTOPSIG(status)).name, flush=True)
time.sleep(0.3)
os.kill(child.pid, signal.SIGCONT)
print(os.waitpid(child.pid, 0)[1])`;
        const { stdout, stderr } = await session.run('/usr/bin/env', [
          'env',
          'python3',
          '-c',
          python,
          session.shim('bash'),
          name,
        ]);
        expect({ stdout, stderr }).toEqual({ stdout: `True ${name}\nwoke\n0\n`, stderr: '' });
      },
    );

    test('what comes before the shell and is blocked reaches it', async () => {
      await using session = await Session.start();
      session.daemon.answer = () => ({ messages: [{ type: 'queued' }], opened: {}, delayMs: 1500 });
      const argv = ['env', '--block-signal=USR1', session.shim('bash'), '-c', 'grep ShdPnd /proc/$$/status'];
      const { stdout } = await session.run('/usr/bin/env', argv, {}, async ({ pid, pidfd }) => {
        await until(() => listens(pid));
        pidfdSendSignal(pidfd, 'SIGUSR1');
      });
      expect(BigInt(`0x${stdout.trim().split('\t')[1]}`) & (1n << 9n)).toBe(1n << 9n);
    });
  });

  describe('a daemon that dies', () => {
    test('the command goes on; the next daemon hears of it and of its end', async () => {
      await using session = await Session.start();
      const running = session.run(session.shim('bash'), bash('sleep 1; exit 8'));
      await until(() => session.daemon.calls[0]?.pid !== undefined);
      await session.daemon.die();
      await session.daemon.listen();
      await until(() => session.daemon.calls[0]!.resumed === true);
      session.daemon.answer = () => ({ closed: 'after all' });
      expect(await running).toMatchObject({ code: 8, stderr: 'after all\n' });
      expect(session.daemon.calls[0]!.ended!.status).toBe(8 << 8);
    });

    test('while a call waits to be let in: the next one is asked, however long it has waited', async () => {
      await using session = await Session.start({ waitMs: 500 });
      session.daemon.answer = () => ({ messages: [{ type: 'queued' }] });
      const running = session.run(session.shim('bash'), bash('cat /proc/self/cgroup'));
      await until(() => session.daemon.calls.length === 1);
      await sleep(700);
      await session.daemon.die();
      session.daemon.answer = () => ({});
      await sleep(200);
      await session.daemon.listen();
      expect((await running).stdout).toMatch(/\/tool-2$/m);
    });

    test('without a next one the end is left as a note on the cgroup', async () => {
      await using session = await Session.start();
      const running = session.run(session.shim('bash'), bash('sleep 1; kill -9 $$'));
      await until(() => session.daemon.calls[0]?.pid !== undefined);
      await session.daemon.die();
      expect((await running).code).toBe(137);
      const note = getXattr(session.daemon.calls[0]!.cgroup, 'user.agentcgroup.exit')!.toString();
      const [status, ended] = note.split(' ').map(Number);
      expect(status).toBe(9);
      expect(Math.abs(Date.now() - ended!)).toBeLessThan(10_000);
      await session.daemon.listen();
    });

    test('one that does not know the call: the note again', async () => {
      await using session = await Session.start();
      const running = session.run(session.shim('bash'), bash('sleep 1.5'));
      await until(() => session.daemon.calls[0]?.pid !== undefined);
      session.daemon.forget = true;
      await session.daemon.die();
      await session.daemon.listen();
      expect((await running).code).toBe(0);
      expect(getXattr(session.daemon.calls[0]!.cgroup, 'user.agentcgroup.exit')!.toString()).toMatch(/^0 \d+$/);
    });

    test('again and again: no command is disturbed', async () => {
      await using session = await Session.start();
      const running = Array.from({ length: 8 }, (_, i) =>
        session.run(session.shim('bash'), bash(`for i in 1 2 3 4 5 6; do sleep 0.2; done; exit ${i}`)),
      );
      await until(() => session.daemon.calls.filter(({ pid }) => pid).length === 8);
      for (let i = 0; i < 4; i++) {
        await sleep(150);
        await session.daemon.die();
        await session.daemon.listen();
      }
      expect((await Promise.all(running)).map(({ code }) => code)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      expect(session.daemon.calls.every(({ ended }) => ended)).toBe(true);
    });
  });

  describe('system calls that a sandbox refuses', () => {
    /** Starts the shim under a seccomp filter that answers one system call with an error. */
    const filtered = (call: { x64: number; arm64: number }, errno: number) => `import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
code = lambda c, jt, jf, k: struct.pack('HBBI', c, jt, jf, k)
program = code(0x20, 0, 0, 0) + code(0x15, 0, 1, ${call[process.arch as 'x64']}) + code(0x06, 0, 0, 0x50000 | ${errno}) + code(0x06, 0, 0, 0x7fff0000)
buffer = ctypes.create_string_buffer(program)
filter = ctypes.create_string_buffer(struct.pack('HxxxxxxP', 4, ctypes.addressof(buffer)))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, filter) == 0
os.execv(sys.argv[1], ['bash', '-c', 'cat /proc/self/cgroup; exit 7'])`;
    const [EPERM, ENOSYS] = [1, 38];

    test('clone3: the child moves itself before it execs', async () => {
      await using session = await Session.start();
      const script = filtered({ x64: 435, arm64: 435 }, ENOSYS);
      const { stdout, code } = await session.run('/usr/bin/env', [
        'env',
        'python3',
        '-c',
        script,
        session.shim('bash'),
      ]);
      expect(stdout).toMatch(/\/tool-1$/m);
      expect(code).toBe(7);
    });

    test('connect: no daemon for this one, known at once', async () => {
      await using session = await Session.start({ waitMs: 60_000 });
      const script = filtered({ x64: 42, arm64: 203 }, EPERM);
      const { stdout, code } = await session.run('/usr/bin/env', [
        'env',
        'python3',
        '-c',
        script,
        session.shim('bash'),
      ]);
      expect(stdout).toMatch(/\/agent$/m);
      expect(code).toBe(7);
    });
  });

  test('a shim directory deeper than a socket address can say', async () => {
    await using session = await Session.start();
    const deep = join(session.directory.path, 'd'.repeat(120));
    symlinkSync(session.shimDirectory, deep);
    const argv = ['env', `AGENTCGROUP_SHIM_DIR=${deep}`, session.shim('bash'), '-c', 'cat /proc/self/cgroup'];
    expect((await session.run('/usr/bin/env', argv)).stdout).toMatch(/\/tool-1$/m);
  });
});
