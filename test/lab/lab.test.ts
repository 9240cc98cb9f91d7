import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GuestTerminal, LabFailure, runInLab } from '../../src/lab/index.ts';
import { makeRunFolder } from '../../src/lab/run-folder.ts';

const root = resolve(import.meta.dirname, '../..');
let share: string;
beforeAll(() => {
  share = mkdtempSync(join(tmpdir(), 'acg-lab-test-'));
});
afterAll(() => rmSync(share, { recursive: true, force: true }));

/** Processes and folders of lab runs that process `owner` started: the folders' names have its pid. */
function leftBehind(owner: number | undefined): string[] {
  const mark = `agentcgroup-lab-${owner}-`;
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark);
      } catch {
        return false; // gone meanwhile
      }
    })
    .map((pid) => `process ${pid}`);
  return [...processes, ...readdirSync(tmpdir()).filter((name) => name.startsWith(mark))];
}

const sh = (script: string, ...args: string[]) => ['bash', '-c', script, 'bash', ...args];

describe('a command in the lab', () => {
  test('5 MB of binary output come back exactly, streams apart, and 130 is an exit status, not SIGINT', async () => {
    const source = join(share, 'binary');
    const data = Buffer.alloc(5_000_011);
    for (let i = 0; i < data.length; i++) data[i] = (i * 2654435761) >>> 13;
    writeFileSync(source, data);
    const chunks: Buffer[] = [];
    const result = await runInLab({
      argv: sh('cat $AGENTCGROUP_LAB_SHARE/binary; cat $AGENTCGROUP_LAB_SHARE/binary >&2; exit 130'),
      share,
      onStdout: async (chunk) => {
        chunks.push(chunk);
        if (chunks.length === 20) await delay(500); // a slow reader
      },
    });
    const digest = (b: Buffer) => createHash('sha256').update(b).digest('hex');
    expect(digest(Buffer.concat(chunks))).toBe(digest(data));
    expect(digest(result.stderr)).toBe(digest(data));
    expect(result).toMatchObject({ exitCode: 130, signal: null, attempts: 1 });
    expect(leftBehind(process.pid)).toEqual([]);
  });

  test('memory, CPUs, swap, mounts and environment are what was asked for; only the share is written on the host', async () => {
    const victim = join(root, 'lab-must-not-write-this');
    const { stdout, stderr, exitCode } = await runInLab({
      argv: sh(
        `set -e
        awk '/^(MemTotal|SwapTotal)/ {print $1 $2}' /proc/meminfo; nproc; pwd; uname -r
        cat /sys/fs/cgroup/cgroup.controllers
        mkdir /sys/fs/cgroup/x; rmdir /sys/fs/cgroup/x
        for m in /sys/fs/bpf /sys/kernel/tracing /sys/kernel/debug /dev/shm /dev/pts /run; do mountpoint -q $m; done
        cat /sys/class/net/lo/operstate /sys/class/net/lo/flags
        echo "$GREETING|$HOME|$AGENTCGROUP_LAB|\${SECRET-unset}"; date +%s; modinfo -n overlay
        echo in the overlay > "$1"; cat "$1"
        echo in the share > "$AGENTCGROUP_LAB_SHARE/result"
        mkdir /mnt/again; mount -t virtiofs hostroot /mnt/again
        touch "/mnt/again$1" && echo the host was written || true
        exit 255`,
        victim,
      ),
      memoryBytes: 700 * 2 ** 20,
      cpus: 3,
      swapBytes: 256 * 2 ** 20,
      share,
      env: { GREETING: 'good day = a=b' },
    });
    const lines = stdout.toString().split('\n');
    const memoryKib = Number(/^MemTotal:(\d+)$/.exec(lines[0]!)?.[1]);
    expect(memoryKib).toBeGreaterThan(600 * 1024);
    expect(memoryKib).toBeLessThanOrEqual(700 * 1024);
    expect(lines[1]).toBe(`SwapTotal:${256 * 1024 - 4}`);
    expect(lines.slice(2, 4)).toEqual(['3', process.cwd()]);
    expect(lines[5]!.split(' ')).toEqual(expect.arrayContaining(['memory', 'cpu', 'pids', 'io', 'cpuset']));
    expect(Number.parseInt(lines[7]!, 16) & 1).toBe(1); // IFF_UP
    expect(lines[8]).toBe(`good day = a=b|${process.env.HOME}|1|unset`);
    expect(Math.abs(Number(lines[9]) - Date.now() / 1000)).toBeLessThan(120);
    expect(lines[10]).toContain(`/lib/modules/${lines[4]}/`);
    expect(lines[11]).toBe('in the overlay');
    expect(stdout.toString()).not.toContain('the host was written');
    expect(stderr.toString()).toContain('Read-only file system');
    expect(existsSync(victim)).toBe(false);
    expect(readFileSync(join(share, 'result'), 'utf8')).toBe('in the share\n');
    expect(exitCode).toBe(255);
  });

  test('a signal is told as a signal, and what the command left running does not hold up the end', async () => {
    const { exitCode, signal, stdout } = await runInLab({
      argv: sh('(sleep 1000 &) ; echo last words; kill -SEGV $$'),
    });
    expect({ exitCode, signal, said: stdout.toString() }).toEqual({
      exitCode: null,
      signal: 'SIGSEGV',
      said: 'last words\n',
    });
  });

  test('a command that does not exist is 127, a folder that does not exist in the guest is a notice', async () => {
    const notices: string[] = [];
    // /run is the guest's own: what the host has there, the guest has not
    const cwd = mkdtempSync('/run/acg-lab-test-');
    const result = await runInLab({ argv: ['no-such-command'], cwd, onNotice: (text) => notices.push(text) }).finally(
      () => rmSync(cwd, { recursive: true }),
    );
    expect(result.exitCode).toBe(127);
    expect(result.stderr.toString()).toBe('lab: no-such-command: No such file or directory\n');
    expect(notices.join()).toContain(cwd);
  });

  test('a terminal, where one is asked for', async () => {
    let terminal: GuestTerminal | undefined;
    let said: Buffer = Buffer.alloc(0);
    let typed = false;
    const { exitCode } = await runInLab({
      // far more at once than a terminal holds, to a program that answers before it has read it all
      argv: sh('stty size; tty; stty raw -echo; echo ready; head -c 100000 | tee /dev/stderr | cksum'),
      terminal: {
        rows: 33,
        columns: 99,
        onOpen: (opened) => {
          terminal = opened;
        },
      },
      onStdout: (chunk) => {
        said = Buffer.concat([said, chunk]);
        if (said.includes('ready') && !typed) {
          typed = true;
          terminal?.resize(50, 50);
          terminal?.input(Buffer.alloc(100_000, 'typed '));
        }
      },
    });
    const text = said.toString();
    expect(text).toMatch(/^33 99\r\n\/dev\/pts\/\d+\r\n/);
    const expected = spawnSync('cksum', { input: Buffer.alloc(100_000, 'typed ') }).stdout.toString();
    expect(text.replaceAll(/[typed ]*typed typed[typed ]*/g, '')).toContain(expected.trim());
    expect(exitCode).toBe(0);
  });

  test('with the deterministic clock, time that nobody computes in passes at once', async () => {
    const { stdout, commandMs } = await runInLab({
      argv: sh('read a b < /proc/uptime; sleep 300; read c d < /proc/uptime; echo "$a $c"'),
      deterministic: true,
    });
    const [from, to] = stdout.toString().split(' ').map(Number);
    expect(to! - from!).toBeGreaterThanOrEqual(300);
    expect(commandMs).toBeLessThan(60_000);
  });
});

describe('when things go wrong', () => {
  test('a command over its time is ended and told apart', async () => {
    const failure = await runInLab({ argv: sh('echo begun; sleep 1000'), timeoutMs: 6000 }).catch((e) => e);
    expect(failure).toBeInstanceOf(LabFailure);
    expect(failure).toMatchObject({ code: 'ACG_LAB_TIMEOUT', exit: 124 });
    expect(failure.stdout.toString()).toBe('begun\n');
    expect(leftBehind(process.pid)).toEqual([]);
  });

  test('a boot that dies is tried once more, visibly, and the second one counts', async () => {
    const notices: string[] = [];
    const { exitCode, attempts } = await runInLab({
      argv: sh('exit 3'),
      kernelArguments: (attempt) => (attempt === 1 ? ['rdinit=/no-such-init'] : []),
      onNotice: (text) => notices.push(text),
    });
    expect({ exitCode, attempts }).toEqual({ exitCode: 3, attempts: 2 });
    const log = /the boot died .*; console: (\S+); trying once more/.exec(notices.join())?.[1];
    expect(readFileSync(log!, 'utf8')).toContain('Kernel panic');
  });

  test('two boots that hang are ACG_LAB_BOOT, with the console log', async () => {
    const failure = await runInLab({ argv: ['true'], bootTimeoutMs: 300, onNotice: () => {} }).catch((e) => e);
    expect(failure).toMatchObject({ code: 'ACG_LAB_BOOT' });
    expect(failure.message).toMatch(/not ready after 0.3 s; console log \S+\.log/);
    expect(leftBehind(process.pid)).toEqual([]);
  });

  test('a kernel that dies under the command is ACG_LAB_DIED and not tried again', async () => {
    const failure = await runInLab({ argv: sh('echo begun; echo c > /proc/sysrq-trigger; sleep 100') }).catch((e) => e);
    expect(failure).toMatchObject({ code: 'ACG_LAB_DIED' });
    expect(failure.stdout.toString()).toBe('begun\n');
    expect(failure.console).toContain('sysrq triggered crash');
  });

  test('what cannot be is said before anything boots', async () => {
    const wrong = (options: object) =>
      runInLab({ argv: ['true'], ...options }).then(
        () => 'no error',
        (error) => error.code,
      );
    expect(await wrong({ argv: [] })).toBe('ACG_USAGE');
    expect(await wrong({ cwd: '/no/such/folder' })).toBe('ACG_USAGE');
    expect(await wrong({ share: '/no/such/folder' })).toBe('ACG_USAGE');
    expect(await wrong({ cpus: 0 })).toBe('ACG_USAGE');
    expect(await wrong({ memoryBytes: 1000 })).toBe('ACG_USAGE');
    expect(await wrong({ kernel: 'plan9' })).toBe('ACG_LAB_KERNEL');
    expect(await wrong({ kernel: '/no/such/kernel' })).toBe('ACG_LAB_KERNEL');
  });
});

describe('the command line', () => {
  const started: ChildProcess[] = [];
  afterAll(() => {
    for (const child of started) child.kill('SIGKILL');
  });
  const lab = (...args: string[]) => {
    const child = spawn(process.execPath, [join(root, 'bin/agentcgroup.js'), 'lab', 'run', ...args], { cwd: root });
    started.push(child);
    return child;
  };
  const text = async (stream: NodeJS.ReadableStream) => {
    let all = '';
    for await (const chunk of stream) all += chunk;
    return all;
  };

  test('passes output and status through, and prints JSON when asked', async () => {
    const child = lab('--json', '--timeout', '90s', '--', 'sh', '-c', 'echo out; printf "\\377" >&2; exit 42');
    const [stdout, [status]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    expect(status).toBe(42);
    expect(JSON.parse(stdout)).toMatchObject({
      exitCode: 42,
      signal: null,
      stdout: 'out\n',
      stderr: { base64: '/w==' },
    });
  });

  test('output streams live, and Ctrl-C leaves nothing behind', async () => {
    const child = lab('--', 'sh', '-c', 'echo up; sleep 1000');
    expect(String((await once(child.stdout, 'data'))[0])).toBe('up\n');
    expect(leftBehind(child.pid)).toHaveLength(3); // QEMU, virtiofsd, the run folder
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([130, null]);
    expect(leftBehind(child.pid)).toEqual([]);
  });

  test('SIGKILL leaves no process, and the next run removes the folder', async () => {
    const child = lab('--', 'sh', '-c', 'echo up; sleep 1000');
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const running = () => leftBehind(child.pid).filter((what) => what.startsWith('process'));
    for (let i = 0; i < 50 && running().length > 0; i++) await delay(100);
    expect(running()).toEqual([]);
    expect(leftBehind(child.pid)).toHaveLength(1);
    rmSync(await makeRunFolder(), { recursive: true });
    expect(leftBehind(child.pid)).toEqual([]);
  });
});
