import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { defaultShimConfig, shimConfigLines } from '../../src/control/intercept/index.ts';
import { nativeProgram } from '../../src/control/native/index.ts';
import { cannotRun, isAlive } from './scratch.ts';
import { Session } from './session.ts';

/** Runs a command the way `agentcgroup run` does; the report comes after the command's own output. */
async function enter(session: Session, options: string[], command: string[], wrapper: string[] = []) {
  const file = nativeProgram('agentcgroup-enter');
  const argv = [
    ...[...wrapper, file, '--shim', nativeProgram('agentcgroup-shell')],
    ...[
      '--socket',
      join(session.directory.path, 'daemon.sock'),
      '--config',
      shimConfigLines(defaultShimConfig).join(';'),
    ],
    ...['--env-dir', session.shimDirectory, '--report-fd', '3', ...options, '--', ...command],
  ];
  const report = join(session.directory.path, 'report');
  const fd = openSync(report, 'w');
  const result = await session.run(wrapper[0] ?? file, argv, {
    fds: [0, 1, 2, fd],
    env: { AGENTCGROUP_SHIM_DIR: undefined },
  });
  closeSync(fd);
  return { ...result, report: readFileSync(report, 'utf8') };
}

const withoutMounts = ['/usr/bin/setpriv', '--bounding-set', '-sys_admin', '--inh-caps', '-sys_admin'];

describe.skipIf(cannotRun)(`agentcgroup-enter${cannotRun ? ` (${cannotRun})` : ''}`, () => {
  test('in a mount namespace the shim takes shells by fixed path and by name', async () => {
    await using session = await Session.start();
    for (const shell of ['/bin/bash', '/usr/bin/bash', 'bash', '/bin/sh', 'sh', 'dash']) {
      const { stdout, stderr, report, code } = await enter(
        session,
        ['--way', 'auto'],
        [...[shell, '-c', 'cat /proc/self/cgroup; bash -c "cat /proc/self/cgroup; exit 4"']],
      );
      expect({ stderr, report, code }).toEqual({ stderr: '', report: 'way=mount\n', code: 4 });
      const name = `tool-${session.daemon.calls.length}`;
      expect(stdout.match(new RegExp(`^0::.*/${name}$`, 'mg'))).toHaveLength(2);
    }
    expect(session.daemon.calls.map(({ open }) => open.shell)).toEqual([
      'bash',
      'bash',
      'bash',
      'dash',
      'dash',
      'dash',
    ]);
  });

  test('nothing of it is seen outside, nor can the session change it', async () => {
    await using session = await Session.start();
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    const script =
      'for f in /usr/bin/bash /run/agentcgroup/shim/config /run/agentcgroup/shim/real/x; do (: >>$f) && echo $f; done';
    const { stdout, stderr } = await enter(session, ['--way', 'mount'], ['bash', '-c', script]);
    expect(stdout).toBe('');
    expect(stderr.match(/Read-only file system|Text file busy/g)).toHaveLength(3);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(mounts);
  });

  test('where the shim stands over the shells, the environment cannot lead it to others', async () => {
    await using session = await Session.start();
    const command = [
      '/usr/bin/env',
      `AGENTCGROUP_SHIM_DIR=${session.shimDirectory}`,
      'sh',
      '-c',
      'readlink /proc/$$/exe; :',
    ];
    const { stdout } = await enter(session, ['--way', 'mount'], command);
    expect(stdout).toBe('/run/agentcgroup/shim/real/dash\n');
  });

  test('inside another session the real shells are found behind its shim', async () => {
    await using session = await Session.start();
    const inner = [
      ...[
        nativeProgram('agentcgroup-enter'),
        '--shim',
        nativeProgram('agentcgroup-shell'),
        '--socket',
        '/none',
        '--config',
        'wait_ms=50',
      ],
      ...['--way', 'mount', '--', 'bash', '-c', 'readlink /proc/$$/exe; sh -c "echo inner"'],
    ];
    const { stdout, code } = await enter(session, ['--way', 'mount'], inner);
    expect({ stdout, code }).toEqual({ stdout: '/run/agentcgroup/shim/real/bash\ninner\n', code: 0 });
  });

  test('without the right to mount: by environment, and it says why', async () => {
    await using session = await Session.start();
    const { stdout, report } = await enter(
      session,
      ['--way', 'auto'],
      ['bash', '-c', 'cat /proc/self/cgroup'],
      withoutMounts,
    );
    expect(report).toBe('way=env reason=unshare CLONE_NEWNS: Operation not permitted\n');
    expect(stdout).toMatch(/\/tool-1$/m);
    const { stdout: environment } = await enter(session, ['--way', 'env'], ['/usr/bin/env']);
    const folder = session.shimDirectory;
    for (const line of [
      `AGENTCGROUP_SHIM_DIR=${folder}`,
      `SHELL=${folder}/bin/bash`,
      `BASH_ENV=${folder}/bash-env`,
      `CLAUDE_CODE_SHELL_PREFIX=${folder}/bin/agentcgroup-prefix`,
    ])
      expect(environment.split('\n')).toContain(line);
    expect(environment).toMatch(new RegExp(`^PATH=${folder}/bin:`, 'm'));
  });

  test('by environment: BASH_ENV takes /bin/bash -c with its arguments, the prefix takes a script', async () => {
    await using session = await Session.start();
    const script = 'cat /proc/self/cgroup; echo "$0|$1|$2"; /bin/bash -c "cat /proc/self/cgroup"; exit 7';
    const { stdout, code } = await enter(session, ['--way', 'env'], ['/bin/bash', '-c', script, 'zero', 'a b', '']);
    expect(stdout).toMatch(/^0::.*\/tool-1\nzero\|a b\|\n(.*\n)*0::.*\/tool-1$/m);
    expect(code).toBe(7);
    expect(session.daemon.calls).toHaveLength(1);
    const prefix = join(session.shimDirectory, 'bin/agentcgroup-prefix');
    const wrapped = await enter(session, ['--way', 'env'], [prefix, `echo "$0" 'x y'; cat /proc/self/cgroup`]);
    expect(wrapped.stdout).toMatch(/^bash x y\n(.*\n)*0::.*\/tool-2$/m);
    expect((await enter(session, ['--way', 'env'], [prefix])).code).toBe(64);
  });

  test('without the right to mount and no other way allowed: an error', async () => {
    await using session = await Session.start();
    const { report, stderr, code } = await enter(session, ['--way', 'mount'], ['/bin/true'], withoutMounts);
    expect(report).toBe('way=none reason=unshare CLONE_NEWNS: Operation not permitted\n');
    expect(stderr).toBe('agentcgroup-enter: unshare CLONE_NEWNS: Operation not permitted\n');
    expect(code).toBe(71);
  });

  test('the command: status, descriptors, working directory, and what is not found', async () => {
    await using session = await Session.start();
    const list = await enter(session, [], ['/bin/ls', '/proc/self/fd']);
    expect(list.stdout).toBe('0\n1\n2\n3\n');
    expect((await enter(session, [], ['pwd'])).stdout).toMatch(/^\/tmp\/acg-test-/);
    expect((await enter(session, [], ['no-such-command'])).code).toBe(127);
    expect((await enter(session, [], ['/etc/passwd'])).code).toBe(126);
  });

  test('it dies with the one who started it', async () => {
    await using session = await Session.start();
    const dead = await enter(session, ['--pdeathsig=4194303'], ['/bin/true']);
    expect(dead.code).toBe(71);
    expect(dead.stderr).toContain('the starting process has ended');
    const python = `import os,subprocess,sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)`;
    const { stdout } = await session.run('/usr/bin/env', [
      ...[
        'env',
        'python3',
        '-c',
        python,
        nativeProgram('agentcgroup-enter'),
        '--shim',
        nativeProgram('agentcgroup-shell'),
      ],
      ...[
        '--socket',
        '/none',
        '--config',
        'wait_ms=50',
        '--way',
        'mount',
        '--pdeathsig',
        '--',
        '/bin/bash',
        '-c',
        'echo; exec sleep 1000',
      ],
    ]);
    const pid = Number(stdout);
    expect(pid).toBeGreaterThan(0);
    await expect.poll(() => isAlive(pid), { timeout: 5000 }).toBe(false);
  });

  test.each([[['--way', 'nowhere']], [['--oom-score-adj', '2000']], [['--report-fd', 'x']], [['--nonsense']]])(
    'a wrong command line: %j',
    async (options) => {
      await using session = await Session.start();
      expect((await enter(session, options, ['/bin/true'])).code).toBe(64);
    },
  );
});
