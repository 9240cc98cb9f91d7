import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  Cgroup,
  CgroupFileError,
  cgroupCapabilities,
  openRoot,
  parseMountinfo,
  probeCgroups,
  type Root,
} from '../../src/control/cgroup/index.ts';
import { type ExitStatus, spawn as spawnInside, watchExit } from '../../src/control/native/index.ts';

const mount = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')).find((m) => !m.readOnly);
const able = mount !== undefined && process.getuid?.() === 0;
if (!able) process.stderr.write('skipped: needs root and a writable cgroup2 mount\n');

describe.skipIf(!able)('cgroups of this machine', () => {
  let root: Root;
  let made = 0;
  const fresh = () => root.cgroup.create(`t${++made}`);

  beforeAll(async () => {
    root = await openRoot({ cgroupRoot: join(mount!.path, `acg-test-${process.pid}`), controllers: [] });
  });
  afterAll(() => root.cgroup.end(AbortSignal.timeout(20_000)));

  test('without root it is said so, with the way out', () => {
    const script = `
      import { openRoot } from ${JSON.stringify(join(import.meta.dirname, '../../src/control/cgroup/index.ts'))};
      process.setgroups([]); process.setgid(65534); process.setuid(65534);
      await openRoot({ cgroupRoot: ${JSON.stringify(join(mount!.path, `acg-test-${process.pid}-nobody`))} }).catch((e) => console.log(e.code, e.message));`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(stdout, stderr).toMatch(/^ACG_NOT_ROOT .*EACCES; or name a cgroup of yours with --cgroup-root/);
  });

  /** A process inside the cgroup; killed at the end of the test at the latest. */
  function inside(cgroup: Cgroup, command = 'sleep', args = ['60']) {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    expect(cgroup.write('cgroup.procs', child.pid!)).toEqual({ enforced: true });
    return child;
  }

  test('create, read, list and remove', async () => {
    const cgroup = fresh();
    expect(cgroup.exists()).toBe(true);
    expect(cgroup.read('cgroup.events')).toEqual({ populated: false, frozen: false });
    expect(cgroup.read('cgroup.type')).toBe('domain');
    expect(cgroup.read('cpu.stat')!.usageUsec).toBe(0);
    expect(cgroup.read('cgroup.stat')).toEqual({ descendants: 0, dyingDescendants: 0 });
    const deep = cgroup.create('a').create('b');
    cgroup.create('c');
    expect([...cgroup.walk()].map((c) => c.name)).toEqual(expect.arrayContaining(['a', 'b', 'c', cgroup.name]));
    expect([...cgroup.walk()].findIndex((c) => c.name === 'b')).toBeLessThan(
      [...cgroup.walk()].findIndex((c) => c.name === 'a'),
    );
    expect(() => cgroup.create('a')).toThrow(expect.objectContaining({ code: 'ACG_CGROUP_FILE', errno: 'EEXIST' }));
    expect(cgroup.tryRemove()).toBe(false);
    await cgroup.remove();
    expect(cgroup.exists()).toBe(false);
    expect(deep.read('cgroup.procs')).toBeUndefined();
    expect(deep.procs()).toEqual([]);
    expect(deep.children()).toEqual([]);
    expect(deep.tryRemove()).toBe(true);
    await deep.remove();
    deep.kill();
    await deep.waitEmpty();
    expect(() => deep.write('cgroup.freeze', true)).toThrow(expect.objectContaining({ gone: true }));
    expect(() => deep.id).toThrow(CgroupFileError);
  });

  test('the id is the inode and the open directory is the cgroup', () => {
    const cgroup = fresh();
    cgroup.withFd((fd) => expect(fstatSync(fd, { bigint: true }).ino).toBe(cgroup.id));
  });

  test('kill ends the whole subtree and waitEmpty hears of it', async () => {
    const cgroup = fresh();
    const first = inside(cgroup);
    const second = inside(cgroup.create('below'));
    const exits = Promise.all([once(first, 'exit'), once(second, 'exit')]);
    expect(cgroup.procs()).toEqual([first.pid]);
    expect(cgroup.populated()).toBe(true);
    const empty = cgroup.waitEmpty(AbortSignal.timeout(10_000));
    cgroup.kill();
    await empty;
    expect(cgroup.populated()).toBe(false);
    expect((await exits).map(([, signal]) => signal)).toEqual(['SIGKILL', 'SIGKILL']);
    await cgroup.remove();
  });

  test('waitEmpty loses no wake-up, however soon the process ends', async () => {
    const cgroup = fresh();
    for (let i = 0; i < 60; i++) {
      const child = spawn('sleep', [String((i % 6) / 1000)]);
      onTestFinished(() => void child.kill('SIGKILL'));
      try {
        cgroup.write('cgroup.procs', child.pid!);
      } catch (error) {
        expect((error as CgroupFileError).errno).toBe('ESRCH');
      }
      await cgroup.waitEmpty(AbortSignal.timeout(5_000));
      expect(cgroup.populated()).toBe(false);
    }
  });

  test('a wait ends when its signal aborts, and leaves nothing behind', async () => {
    const cgroup = fresh();
    inside(cgroup);
    await expect(cgroup.waitEmpty(AbortSignal.timeout(50))).rejects.toMatchObject({ name: 'TimeoutError' });
    await expect(cgroup.waitEmpty(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    await expect(cgroup.remove(AbortSignal.timeout(50))).rejects.toMatchObject({ name: 'TimeoutError' });
    await cgroup.end();
    expect(cgroup.exists()).toBe(false);
  });

  test('freeze stops, thaw lets run, and the frozen can be killed', async () => {
    const cgroup = fresh();
    const child = inside(cgroup, 'bash', ['-c', 'while :; do :; done']);
    expect(await cgroup.freeze(AbortSignal.timeout(5_000))).toBe(true);
    expect(cgroup.read('cgroup.events')).toEqual({ populated: true, frozen: true });
    const used = cgroup.read('cpu.stat')!.usageUsec;
    await sleep(100);
    expect(cgroup.read('cpu.stat')!.usageUsec - used).toBeLessThan(20_000);
    expect(await cgroup.thaw(AbortSignal.timeout(5_000))).toBe(true);
    await expect.poll(() => cgroup.read('cpu.stat')!.usageUsec - used, { timeout: 10_000 }).toBeGreaterThan(20_000);
    await cgroup.freeze(AbortSignal.timeout(5_000));
    const exit = once(child, 'exit');
    await cgroup.end(AbortSignal.timeout(5_000));
    expect((await exit)[1]).toBe('SIGKILL');
    expect(await cgroup.freeze().catch((e) => e.gone)).toBe(true);
  });

  test('remove waits for the last process to leave by itself', async () => {
    const cgroup = fresh();
    inside(cgroup.create('below'), 'sleep', ['0.2']);
    await cgroup.remove(AbortSignal.timeout(10_000));
    expect(cgroup.exists()).toBe(false);
  });

  test('a limit without its controller is reported, not swallowed', () => {
    const cgroup = fresh();
    if (cgroup.read('cgroup.controllers')!.includes('memory')) return;
    expect(cgroup.write('memory.max', 2 ** 20)).toEqual({
      enforced: false,
      file: 'memory.max',
      why: `the memory controller is not enabled for ${cgroup.path}`,
    });
    expect(cgroup.read('memory.current')).toBeUndefined();
  });

  test('what the kernel refuses carries operation, file and errno', () => {
    const cgroup = fresh();
    expect(() => cgroup.write('cgroup.procs', 2 ** 22 + 1)).toThrow(
      expect.objectContaining({
        code: 'ACG_CGROUP_FILE',
        operation: 'write',
        file: join(cgroup.path, 'cgroup.procs'),
        errno: 'ESRCH',
        gone: false,
      }),
    );
  });

  test('notes live on the cgroup', () => {
    const cgroup = fresh();
    expect(cgroup.note('call')).toBeUndefined();
    cgroup.setNote('call', '{"a":"ü\n"}');
    cgroup.setNote('empty', '');
    expect(cgroup.note('call')).toBe('{"a":"ü\n"}');
    expect(new Cgroup(cgroup.path).notes()).toEqual(
      new Map([
        ['call', '{"a":"ü\n"}'],
        ['empty', ''],
      ]),
    );
    expect(cgroup.removeNote('call')).toBe(true);
    expect(cgroup.removeNote('call')).toBe(false);
    expect(() => cgroup.setNote('big', 'x'.repeat(2 ** 20))).toThrow(
      expect.objectContaining({ code: 'ACG_CGROUP_FILE', operation: 'setxattr' }),
    );
    const gone = cgroup.child('gone');
    expect(() => gone.note('call')).toThrow(expect.objectContaining({ gone: true }));
    expect(() => gone.open()).toThrow(expect.objectContaining({ gone: true }));
    expect(() => gone.create('x')).toThrow(expect.objectContaining({ gone: true }));
  });

  test('a process is born inside through the open directory', async () => {
    const cgroup = fresh();
    const { pid, pidfd } = cgroup.withFd((cgroupFd) =>
      spawnInside({ file: '/bin/sleep', argv: ['sleep', '60'], env: {}, cgroupFd }),
    );
    const ended = new Promise<ExitStatus | null>((resolve) => watchExit({ pidfd }, resolve));
    closeSync(pidfd);
    expect(cgroup.procs()).toEqual([pid]);
    await cgroup.end(AbortSignal.timeout(10_000));
    expect(await ended).toMatchObject({ code: null, signal: 'SIGKILL' });
  });

  test('calls can follow each other in fresh cgroups, each killed at its end', async () => {
    for (let i = 0; i < 20; i++) {
      const cgroup = fresh();
      const { pid, pidfd } = cgroup.withFd((cgroupFd) =>
        spawnInside({ file: '/bin/true', argv: ['true'], env: {}, cgroupFd }),
      );
      const ended = await new Promise<ExitStatus | null>((resolve) => watchExit({ pidfd }, resolve));
      closeSync(pidfd);
      expect(ended, `call ${i}, process ${pid}`).toMatchObject({ code: 0, signal: null });
      await cgroup.end(AbortSignal.timeout(10_000));
      expect(cgroup.exists()).toBe(false);
    }
  });

  test('three hundred calls, eight at a time, leave no cgroup, descriptor or watch', async () => {
    const parent = fresh();
    const inotifyWatches = () =>
      readdirSync('/proc/self/fdinfo')
        .map((fd) => {
          try {
            return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').match(/^inotify wd:/gm)?.length ?? 0;
          } catch {
            return 0;
          }
        })
        .reduce((a, b) => a + b, 0);
    const openFiles = () => readdirSync('/proc/self/fd').length;
    const one = async (n: number) => {
      const cgroup = parent.create(`tool-${n}`);
      const script = ['exit 3', 'sleep 60 & exit 0', 'sleep 60', 'kill -TERM $$'][n % 4]!;
      const { pidfd } = cgroup.withFd((cgroupFd) =>
        spawnInside({ file: '/bin/sh', argv: ['sh', '-c', script], env: { PATH: '/bin' }, cgroupFd }),
      );
      const ended = new Promise<ExitStatus | null>((resolve) => watchExit({ pidfd }, resolve));
      closeSync(pidfd);
      if (n % 4 === 2) cgroup.kill();
      const status = await ended;
      await cgroup.end(AbortSignal.timeout(20_000));
      return status?.signal ?? status?.code;
    };
    await one(0);
    const before = { files: openFiles(), watches: inotifyWatches() };
    let next = 1;
    const outcomes: unknown[] = [];
    const worker = async () => {
      while (next <= 300) {
        const n = next++;
        outcomes[n] = await one(n);
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    for (let n = 1; n <= 300; n++) expect(outcomes[n], `call ${n}`).toBe([3, 0, 'SIGKILL', 'SIGTERM'][n % 4]);
    expect(parent.children()).toEqual([]);
    // A watch that is closed inside its own notification is taken down after it.
    await expect
      .poll(() => ({ files: openFiles(), watches: inotifyWatches() }), { timeout: 5000, interval: 20 })
      .toEqual(before);
  });

  test('a pressure trigger fires on a real stall', async () => {
    const cgroup = fresh();
    if (cgroup.read('cpu.pressure') === undefined) return;
    const trigger = { kind: 'some', stallUsec: 20_000, windowUsec: 2_000_000 } as const;
    const fired = new Promise<void>((resolve) => {
      const watch = cgroup.watchPressure('cpu.pressure', trigger, resolve)!;
      onTestFinished(() => watch.close());
    });
    // More spinners than CPUs: each of them has to wait for its turn.
    for (let i = 0; i < cpus().length + 2; i++) inside(cgroup, 'bash', ['-c', 'while :; do :; done']);
    await Promise.race([fired, sleep(15_000).then(() => Promise.reject(new Error('no notification')))]);
    expect(cgroup.read('cpu.pressure')!.some.totalUsec).toBeGreaterThan(20_000);
    await cgroup.end(AbortSignal.timeout(10_000));
    expect(cgroup.watchPressure('cpu.pressure', trigger, () => {})).toBeUndefined();
  });

  test('a pressure watch falls silent when its cgroup goes, also for a new one of the same name', async () => {
    const cgroup = fresh();
    if (cgroup.read('cpu.pressure') === undefined) return;
    let calls = 0;
    const trigger = { kind: 'some', stallUsec: 1_000_000, windowUsec: 2_000_000 } as const;
    const watch = cgroup.watchPressure('cpu.pressure', trigger, () => calls++)!;
    onTestFinished(() => watch.close());
    await cgroup.remove();
    cgroup.parent.create(cgroup.name);
    await sleep(300);
    expect(calls).toBe(0);
  });

  test('a trigger the kernel does not take is an error', () => {
    const cgroup = fresh();
    if (cgroup.read('cpu.pressure') === undefined) return;
    const trigger = { kind: 'some', stallUsec: 1, windowUsec: 60_000_000 } as const;
    expect(() => cgroup.watchPressure('cpu.pressure', trigger, () => {})).toThrow(
      expect.objectContaining({ operation: 'arm', errno: 'EINVAL' }),
    );
  });

  test('the probe finds what was done above to be possible, and cleans up', async () => {
    const rows = await probeCgroups({ cgroupRoot: root.cgroup.path });
    expect(rows.map((row) => row.name)).toEqual([...cgroupCapabilities]);
    const states = new Map(rows.map((row) => [row.name, row.state]));
    for (const name of ['cgroup2', 'delegation', 'born inside', 'cgroup.kill', 'cgroup.freeze', 'xattr'])
      expect(states.get(name), name).toBe('yes');
    for (const row of rows) if (row.state === 'no') expect(row.detail, row.name).toBeTruthy();
    expect(root.cgroup.children().filter((c) => c.name.startsWith('agentcgroup-probe'))).toEqual([]);
  });

  test('missing controllers are named with a reason', async () => {
    const open = await openRoot({ cgroupRoot: root.cgroup.path, controllers: ['memory', 'nonesuch'] });
    expect(open.origin).toBe('given');
    expect(open.missing.map((m) => m.controller)).toContain('nonesuch');
    for (const { why } of open.missing) expect(why.length).toBeGreaterThan(10);
    expect([...open.enabled, ...open.missing.map((m) => m.controller)].sort()).toEqual(['memory', 'nonesuch']);
  });
});
