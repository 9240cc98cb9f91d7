import { closeSync, mkdirSync, openSync, readFileSync, readSync, rmdirSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CGROUP2_SUPER_MAGIC,
  type ExitStatus,
  getXattr,
  listXattr,
  peer,
  peerPidfd,
  pidfdOpen,
  pidfdSendSignal,
  removeXattr,
  type SpawnRequest,
  sendWithFd,
  setXattr,
  signalName,
  signalNumber,
  socketFd,
  spawn,
  statfsType,
  watchExit,
  watchPri,
} from '../../src/control/native/index.ts';
import { cannotRun, cgroup2Mount, scratchCgroup, scratchDirectory } from './scratch.ts';

const failing = (errno: string, syscall?: string) =>
  expect.objectContaining({ code: 'ACG_SYSCALL', errno, ...(syscall ? { syscall } : {}) });

describe.skipIf(cannotRun)(`the addon${cannotRun ? ` (${cannotRun})` : ''}`, () => {
  let cgroup: ReturnType<typeof scratchCgroup>;
  let cgroupFd: number;
  beforeAll(() => {
    cgroup = scratchCgroup('addon');
    cgroupFd = openSync(cgroup.path, 'r');
  });
  afterAll(async () => {
    closeSync(cgroupFd);
    await cgroup.remove();
  });

  /** Runs a shell script to its end, with its output in a file. */
  async function run(script: string, request: Partial<SpawnRequest> = {}) {
    using directory = scratchDirectory();
    const file = join(directory.path, 'out');
    const out = openSync(file, 'w');
    const child = spawn({
      file: '/bin/sh',
      argv: ['sh', '-c', script],
      env: { PATH: '/usr/bin:/bin' },
      fds: [-1, out, 2],
      ...request,
    });
    closeSync(out);
    const status = await new Promise<ExitStatus | null>((ended) => watchExit(child, ended));
    closeSync(child.pidfd);
    return { status, out: readFileSync(file, 'utf8') };
  }

  describe('spawn', () => {
    test('the child is born in the cgroup', async () => {
      const { out, status } = await run('cat /proc/self/cgroup', { cgroupFd });
      expect(out).toContain(`0::/${cgroup.path.split('/').at(-1)}\n`);
      expect(status).toMatchObject({ code: 0, signal: null });
      expect(status!.maxRssKib).toBeGreaterThan(100);
    });

    test('argv, environment, directory and descriptors are what was asked for, and nothing else', async () => {
      const env = await run('', { file: '/usr/bin/env', argv: ['env'], env: { A: '1', B: 'x=y', C: undefined } });
      expect(env.out).toBe('A=1\nB=x=y\n');
      expect((await run('echo "$0" "$@"', { argv: ['x', '-c', 'echo "$0|$1|$2"', 'a b', '', 'ü'] })).out).toBe(
        'a b||ü\n',
      );
      expect((await run('pwd', { cwd: '/usr' })).out).toBe('/usr\n');
      expect((await run('ls /proc/self/fd')).out.split('\n').filter(Boolean)).toEqual(['0', '1', '2']);
    });

    test('signals are at their defaults', async () => {
      const { out } = await run('grep -E "^Sig(Blk|Ign|Cgt)" /proc/self/status', { file: '/bin/bash' });
      expect(out.match(/\t(\w+)/g)!.slice(0, 2)).toEqual(['\t0000000000000000', '\t0000000000000000']);
    });

    test('a session of its own', async () => {
      const stat = (await run('cat /proc/$$/stat', { newSession: true })).out.split(' ');
      expect(stat[5]).toBe(stat[0]);
      expect((await run('cat /proc/$$/stat')).out.split(' ')[5]).not.toBe(stat[0]);
    });

    test('another user', async () => {
      expect((await run('id -u; id -g; id -G', { uid: 65534, gid: 65534 })).out).toBe('65534\n65534\n65534\n');
    });

    test('descriptors change places', async () => {
      using directory = scratchDirectory();
      const [a, b] = ['a', 'b'].map((name) => openSync(join(directory.path, name), 'w+')) as [number, number];
      const fds = [b, a, b, a];
      const { status } = await run('echo 1 >&1; echo 3 >&3; echo 2 >&2; echo 0 >&0', { fds });
      expect(status!.code).toBe(0);
      expect(readFileSync(join(directory.path, 'a'), 'utf8')).toBe('1\n3\n');
      expect(readFileSync(join(directory.path, 'b'), 'utf8')).toBe('2\n0\n');
      closeSync(a);
      closeSync(b);
    });

    test('what cannot be started says which call failed, and leaves no child', async () => {
      const children = () => readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8');
      const before = children();
      const request = { file: '/bin/sh', argv: ['sh'], env: {} };
      expect(() => spawn({ ...request, file: '/no/such/file' })).toThrow(failing('ENOENT', 'execve'));
      expect(() => spawn({ ...request, file: '/etc/passwd' })).toThrow(failing('EACCES', 'execve'));
      expect(() => spawn({ ...request, cwd: '/no/such/place' })).toThrow(failing('ENOENT', 'chdir'));
      expect(() => spawn({ ...request, fds: [99] })).toThrow(failing('EBADF'));
      const notCgroup = openSync('/tmp', 'r');
      expect(() => spawn({ ...request, cgroupFd: notCgroup })).toThrow(failing('EBADF', 'clone3'));
      closeSync(notCgroup);
      expect(() => spawn({ ...request, file: 'sh' })).toThrow(expect.objectContaining({ code: 'ACG_BAD_REQUEST' }));
      expect(() => spawn({ ...request, argv: ['a\0b'] })).toThrow(expect.objectContaining({ code: 'ACG_BAD_REQUEST' }));
      expect(children()).toEqual(before);
    });

    test('a removed cgroup is refused', () => {
      const path = `${cgroup.path}/removed`;
      mkdirSync(path);
      const fd = openSync(path, 'r');
      rmdirSync(path);
      expect(() => spawn({ file: '/bin/sh', argv: ['sh'], env: {}, cgroupFd: fd })).toThrow(
        expect.objectContaining({ syscall: 'clone3', errno: expect.stringMatching(/^ENOENT|ENODEV$/) }),
      );
      closeSync(fd);
    });
  });

  describe('watchExit', () => {
    test.each([
      ['exit 0', 0, null],
      ['exit 255', 255, null],
      ['kill -9 $$', null, 'SIGKILL'],
      ['kill -TERM $$', null, 'SIGTERM'],
      ['kill -35 $$', null, 'SIGRT35'],
    ])('%s', async (script, code, signal) => {
      expect((await run(script)).status).toMatchObject({ code, signal });
    });

    test('a process that is not our child: its end and no status', async () => {
      using directory = scratchDirectory();
      const file = join(directory.path, 'pid');
      await run(`sleep 1000 & echo $! >${file}`);
      const pid = Number(readFileSync(file, 'utf8'));
      const ended = new Promise((ended) => watchExit({ pid }, ended));
      process.kill(pid, 'SIGKILL');
      expect(await ended).toBeNull();
      expect(() => watchExit({ pid: 2 ** 22 - 1 }, () => {})).toThrow(failing('ESRCH', 'pidfd_open'));
    });

    test('many at once, each told once', async () => {
      const codes = await Promise.all(
        Array.from({ length: 100 }, async (_, i) => (await run(`exit ${i}`)).status!.code),
      );
      expect(codes).toEqual(Array.from({ length: 100 }, (_, i) => i));
    });

    test('a closed watch says nothing; pidfds are passed on to signals', async () => {
      const child = spawn({ file: '/bin/sleep', argv: ['sleep', '100'], env: {} });
      let told = false;
      const silent = watchExit(child, () => {
        told = true;
      });
      silent.close();
      silent.close();
      const other = pidfdOpen(child.pid);
      const status = new Promise<ExitStatus | null>((ended) => watchExit({ pidfd: other }, ended));
      pidfdSendSignal(child.pidfd, 0);
      pidfdSendSignal(other, 'SIGTERM');
      expect(await status).toMatchObject({ code: null, signal: 'SIGTERM' });
      expect(told).toBe(false);
      expect(() => pidfdSendSignal(child.pidfd, 'SIGTERM')).toThrow(failing('ESRCH'));
      closeSync(other);
      closeSync(child.pidfd);
    });

    test('the end of the event loop is held by a watch, unless it is let go', async () => {
      const program = (seconds: number, then: string) =>
        `import { spawn, watchExit } from '${new URL('../../src/control/native/index.ts', import.meta.url).href}';
         const child = spawn({ file: '/bin/sleep', argv: ['sleep', '${seconds}'], env: {} });
         const watch = watchExit(child, () => console.log('ended'));
         ${then}`;
      const node = (seconds: number, then: string) =>
        run('', { file: process.execPath, argv: ['node', '--input-type=module', '-e', program(seconds, then)] });
      expect((await node(0.5, '')).out).toBe('ended\n');
      expect((await node(10, 'watch.unref();')).out).toBe('');
    });
  });

  describe('watchPri', () => {
    test('cgroup.events tells when a cgroup fills and empties', async () => {
      const path = cgroup.child('watched');
      const fd = openSync(join(path, 'cgroup.events'), 'r');
      const seen: boolean[] = [];
      const read = () => {
        const buffer = Buffer.alloc(256);
        return buffer.toString('utf8', 0, readSync(fd, buffer, 0, 256, 0)).includes('populated 1');
      };
      expect(read()).toBe(false);
      let calls = 0;
      const emptied = new Promise<void>((done) => {
        const watch = watchPri(fd, () => {
          calls++;
          const populated = read();
          if (seen.at(-1) !== populated) seen.push(populated);
          if (populated || seen.length < 2) return;
          watch.close();
          done();
        });
      });
      const inside = openSync(path, 'r');
      await run('sleep 1', { cgroupFd: inside });
      closeSync(inside);
      await emptied;
      expect(seen).toEqual([true, false]);
      expect(calls).toBeLessThan(10);
      closeSync(fd);
    });

    test('a file without events is refused', () => {
      const fd = openSync('/etc/passwd', 'r');
      expect(() => watchPri(fd, () => {})).toThrow(failing('EPERM', 'epoll_ctl'));
      closeSync(fd);
    });
  });

  describe('sockets', () => {
    /** Two ends of a connection inside this process. */
    async function pair(path: string): Promise<{ server: Socket; client: Socket; close(): void }> {
      const listening = createServer();
      const accepted = new Promise<Socket>((got) => listening.once('connection', got));
      await new Promise<void>((ready) => listening.listen(path, ready));
      const client = connect(path);
      const server = await accepted;
      const close = () => {
        for (const socket of [server, client]) socket.destroy();
        listening.close();
      };
      return { server, client, close };
    }

    test('who is there', async () => {
      using directory = scratchDirectory();
      const { server, close } = await pair(join(directory.path, 's'));
      expect(peer(server)).toEqual({ pid: process.pid, uid: 0, gid: 0 });
      const pidfd = peerPidfd(server);
      if (pidfd !== undefined) {
        expect(readFileSync(`/proc/self/fdinfo/${pidfd}`, 'utf8')).toContain(`Pid:\t${process.pid}\n`);
        closeSync(pidfd);
      }
      close();
    });

    test('bytes with a descriptor; a peer that does not read is an error and not a wait', async () => {
      using directory = scratchDirectory();
      const { server, client, close } = await pair(join(directory.path, 's'));
      sendWithFd(server, Buffer.from('hello'), cgroupFd);
      expect(await new Promise((got) => client.once('data', (data) => got(data.toString())))).toBe('hello');
      client.pause();
      const flood = () => {
        for (let i = 0; i < 10_000; i++) sendWithFd(server, Buffer.alloc(65_536), cgroupFd);
      };
      expect(flood).toThrow(expect.objectContaining({ code: expect.stringMatching(/^ACG_(SYSCALL|PROTOCOL)$/) }));
      close();
      expect(() => socketFd(server)).toThrow(expect.objectContaining({ code: 'ACG_PROTOCOL' }));
    });
  });

  test('extended attributes of a cgroup, by path and by descriptor', () => {
    const name = 'user.agentcgroup.test';
    expect(getXattr(cgroup.path, name)).toBeUndefined();
    setXattr(cgroup.path, name, 'one');
    expect(getXattr(cgroupFd, name)!.toString()).toBe('one');
    const large = Buffer.alloc(3000, 'x');
    setXattr(cgroupFd, name, large);
    expect(getXattr(cgroup.path, name)).toEqual(large);
    expect(listXattr(cgroup.path)).toEqual([name]);
    expect(removeXattr(cgroupFd, name)).toBe(true);
    expect(removeXattr(cgroupFd, name)).toBe(false);
    expect(listXattr(cgroupFd)).toEqual([]);
    expect(() => setXattr(cgroup.path, 'nonsense', 'x')).toThrow(failing('ENOTSUP', 'setxattr'));
    expect(() => getXattr('/no/such/file', name)).toThrow(failing('ENOENT', 'getxattr'));
  });

  test('signals by name and by number', () => {
    for (let signal = 1; signal <= 64; signal++) expect(signalNumber(signalName(signal))).toBe(signal);
    expect(() => signalNumber('SIGNONE' as NodeJS.Signals)).toThrow(
      expect.objectContaining({ code: 'ACG_BAD_REQUEST' }),
    );
  });

  test('the type of a file system', () => {
    expect(statfsType(cgroup2Mount()!)).toBe(CGROUP2_SUPER_MAGIC);
    expect(statfsType('/proc')).toBe(0x9fa0);
    expect(() => statfsType('/no/such/file')).toThrow(failing('ENOENT', 'statfs'));
  });
});
