import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cannotRun, scratchDirectory } from './scratch.ts';
import { type Result, Session } from './session.ts';

/**
 * The same invocation through the real shell and through the shim: stdout, stderr and status must be the same bytes.
 * `before` is a program that starts the shell (setsid, env, script, ...); %SHELL% in any word is the path of the shell.
 */
interface Invocation {
  args?: string[];
  shell?: string;
  argv0?: string;
  env?: Record<string, string>;
  before?: string[];
  /** -1 closed; a string is a file's content for stdin. */
  stdin?: -1 | string;
  stdout?: -1;
  stderr?: -1;
  /** A signal death of the shell: 128+N is what the shim exits with. */
  signal?: number;
}

const big = 'x'.repeat(1_000_000 / 10);
const everyByte = String.raw`printf '%b' "$(for i in $(seq 1 255); do printf '\\0%03o' $i; done)"`;
const pty = (script: string) => ['/usr/bin/script', '-qefc', script, '/dev/null'];
const python = (code: string) => ['/usr/bin/env', 'python3', '-c', code, '%SHELL%'];

/** Starts its first argument with stdin and stdout as the two ends that a program in Node gives its children. */
const viaSockets = `import socket, subprocess, sys
ours, theirs = socket.socketpair()
child = subprocess.Popen([sys.argv[1], '-c', 'read line; echo "got $line"; echo err >&2; exit 5'], stdin=theirs, stdout=theirs, stderr=theirs)
theirs.close()
ours.sendall(b'hello\\n')
data = b''
while (part := ours.recv(65536)): data += part
print(data, child.wait())`;

/** Whoever reads the output sees its end when the shell closes it, before the shell ends. */
const endOfOutput = `import subprocess, sys, time
child = subprocess.Popen([sys.argv[1], '-c', 'echo one; exec >&-; sleep 0.7; exit 3'], stdout=subprocess.PIPE)
start = time.monotonic()
data = child.stdout.read()
print(data, time.monotonic() - start < 0.5, child.wait())`;

const processGroup = `import os, subprocess, sys
out = subprocess.run([sys.argv[1], '-c', 'cut -d" " -f5,6 /proc/$$/stat'], stdout=subprocess.PIPE).stdout
print(out.split() == [str(os.getpgrp()).encode(), str(os.getsid(0)).encode()])`;

const ignoredChild = `import signal, subprocess, sys, os
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], ['bash', '-c', 'trap -p; grep -E "^Sig(Ign|Blk)" /proc/self/status; /bin/true; echo $?; exit 9'])`;

const blocked = `import signal, sys, os
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])
os.execv(sys.argv[1], ['bash', '-c', 'grep ^SigBlk /proc/self/status; kill -TERM $$; echo alive'])`;

const manyDescriptors = `import os, sys
for fd in (5, 9, 10, 11, 63, 200): os.dup2(1, fd)
os.execv(sys.argv[1], ['bash', '-c', 'cd /proc/$$/fd; echo *; echo to-nine >&9; echo to-200 >&200'])`;

const limits = `import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (77, 99))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.umask(0o137); os.nice(3); os.chdir('/usr/share')
os.execv(sys.argv[1], ['bash', '-c', 'ulimit -n; ulimit -Hn; ulimit -c; umask; nice; pwd'])`;

const deletedDirectory = `import os, sys, tempfile
d = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)
os.execv(sys.argv[1], ['bash', '-c', 'echo still here; cat /proc/self/stat >/dev/null'])`;

const alarm = `import os, signal, sys
signal.alarm(1)
os.execv(sys.argv[1], ['bash', '-c', 'sleep 30; echo never'])`;

const table: Record<string, Invocation> = {
  // quoting and arguments
  'single and double quotes': { args: ['-c', `echo 'a "b"' "c 'd'" \\$HOME "\\\\" $'t\\tu'`] },
  'arguments after the script': { args: ['-c', 'printf "<%s>" "$0" "$@"', 'zero', 'a b', '', '*', '-n', '--'] },
  'empty script': { args: ['-c', ''] },
  'empty arguments': { args: ['-c', 'echo $#', '', '', ''] },
  'no argument for -c': { args: ['-c'] },
  'a newline and a tab': { args: ['-c', 'echo one\n\techo two\n'] },
  'unicode and emoji': { args: ['-c', 'echo "grüße 🌍 ñ $1"', '_', '日本'] },
  'every byte but NUL': { args: ['-c', `${everyByte} | od -An -tx1`] },
  'every byte but NUL, on stdout': { args: ['-c', everyByte] },
  'no evaluation on the way': { args: ['-c', 'echo "$1"', '_', '$(touch /tmp/pwned) `id` ; rm -rf x | & > <'] },
  'a script of 100 kB': { args: ['-c', `: ${big}\necho "$\{#1}"`, '_', big] },
  '1 MB in arguments': { args: ['-c', `echo $# "\${#1}" "\${#9}"`, '_', ...Array(10).fill(big)] },
  '2000 arguments': { args: ['-c', `echo $# "\${2000}"`, '_', ...Array.from({ length: 2000 }, (_, i) => `${i}`)] },
  'a large environment': { args: ['-c', `echo "\${#BIG}"`], env: { BIG: big } },
  'argv[0] kept': { args: ['-c', 'echo "$0"; tr "\\0" " " </proc/$$/cmdline'], argv0: 'my shell' },
  'a login shell by its name': { args: ['-c', 'shopt -q login_shell && echo login'], argv0: '-bash' },
  'a login shell by option': { args: ['-lc', 'shopt -q login_shell && echo login; echo $-'] },
  'an interactive one by option': { args: ['-ic', 'echo $-'], env: { PS1: '' } },
  'bash called as sh': { args: ['-c', 'set -o | grep posix; echo $BASH_VERSION | cut -c1'], argv0: 'sh' },
  'options -e -u -o pipefail': { args: ['-euo', 'pipefail', '-c', 'false | true; echo no'] },
  'an unset variable': { args: ['-uc', 'echo $nothing'] },
  'an unknown option': { args: ['-Z'] },
  '--version': { args: ['--version'] },
  'a syntax error': { args: ['-c', 'if then'] },
  'command not found': { args: ['-c', 'no-such-command-anywhere'] },
  'not executable': { args: ['-c', '/etc/passwd'] },
  // scripts
  'a script file': { args: ['%DIR%/script.sh', 'a', 'b c'] },
  'a script file that is missing': { args: ['/no/such/script.sh'] },
  'a script on stdin': { args: [], stdin: 'echo from stdin\nread x\ndata\necho "$x"\nexit 6\n' },
  'a script on stdin with -s': { args: ['-s', 'a', 'b'], stdin: 'echo "$@"\n' },
  'a here-document': { args: ['-c', 'cat <<END\nline $((1+1))\nEND\ncat <<\\END\n$literal\nEND'] },
  'a here-string': { args: ['-c', 'cat <<<"$1" | tr a-z A-Z', '_', 'word'] },
  'process substitution': { args: ['-c', 'diff <(echo a) <(echo b)'] },
  'a coprocess': { args: ['-c', `coproc cat; echo hi >&"\${COPROC[1]}"; read x <&"\${COPROC[0]}"; echo "$x"`] },
  'BASH_ENV is read': { args: ['-c', 'echo end'], env: { BASH_ENV: '%DIR%/rc.sh' } },
  // traps, exec, jobs
  'a trap on EXIT': { args: ['-c', 'trap "echo bye" EXIT; echo hi; exit 3'] },
  'a trap on a signal from itself': { args: ['-c', 'trap "echo usr1" USR1; kill -USR1 $$; echo after'] },
  'a trap on ERR': { args: ['-c', 'trap "echo err $?" ERR; false; true'] },
  'kill 0 from inside with a trap': { args: ['-c', 'n=0; trap "n=$((n+1)); echo t" TERM; kill 0; echo $n'] },
  'kill 0 later': { args: ['-c', 'trap "echo t" TERM; sleep 0.1; kill 0; sleep 0.1; echo end'] },
  'exec another program': { args: ['-c', 'exec /bin/echo replaced'] },
  'exec that fails': { args: ['-c', 'exec /no/such/program; echo not here'] },
  'exec of another shell': { args: ['-c', 'exec bash -c "exec sh -c \\"exit 12\\""'] },
  'background and wait': { args: ['-c', '(sleep 0.05; exit 7) & wait $!; echo $?'] },
  'job control': { args: ['-mc', 'sleep 0.05 & jobs; wait; echo done'], stdin: '' },
  'stop and continue a job': {
    args: ['-c', 'sleep 0.2 & kill -STOP $!; sleep 0.05; kill -CONT $!; wait $!; echo $?'],
  },
  'a pipeline with its statuses': { args: ['-c', `true | (exit 4) | (exit 5); echo "\${PIPESTATUS[@]}"`] },
  SIGPIPE: { args: ['-c', `yes | head -1; echo "\${PIPESTATUS[0]}"`] },
  'a subshell killed': { args: ['-c', '(kill -9 $BASHPID); echo $?'] },
  'a nested shell in place': { args: ['-c', 'bash -c "sh -c \\"exit 17\\""; echo $?'] },
  'a nested shell is the child of its caller': { args: ['-c', 'bash -c "[ \\$PPID = $$ ] && echo child"; true'] },
  'output and errors in order': { args: ['-c', 'echo 1; echo 2 >&2; echo 3; echo 4 >&2'] },
  'nothing is added to the environment': { args: ['-c', 'env -u _ -u SHLVL | sort'] },
  // descriptors
  'stdin closed': { args: ['-c', 'ls -1 /proc/self/fd | wc -l; read x; echo $?'], stdin: -1 },
  'stdout closed': { args: ['-c', 'echo x; echo $? >&2'], stdout: -1 },
  'stderr closed': { args: ['-c', 'echo x >&2; echo $?'], stderr: -1 },
  'all closed': { args: ['-c', '[ ! -e /proc/self/fd/1 ]; exit 8'], stdin: -1, stdout: -1, stderr: -1 },
  'stdin from a file': { args: ['-c', 'cat'], stdin: 'text\nwithout end' },
  'its own descriptors and no others': { args: ['-c', 'cd /proc/$$/fd; echo *'] },
  'inherited descriptors': { before: python(manyDescriptors) },
  'sockets as stdio': { before: python(viaSockets) },
  'the end of its output is seen at once': { before: python(endOfOutput) },
  // what is inherited
  'limits, umask, nice, directory': { before: python(limits) },
  'a directory that is gone': { before: python(deletedDirectory) },
  'SIGCHLD ignored by the caller': { before: python(ignoredChild) },
  'signals blocked by the caller': { before: python(blocked) },
  'an alarm set by the caller': { before: python(alarm), signal: 14 },
  'SIGINT, SIGHUP ignored by the caller': {
    before: ['/usr/bin/env', '--ignore-signal=INT,HUP', '%SHELL%', '-c', 'kill -INT $$; kill -HUP $$; echo alive'],
  },
  'the same process group and session': { before: python(processGroup) },
  'a session of its own': { before: ['/usr/bin/setsid', '-w', '%SHELL%', '-c', 'exit 21'] },
  'under timeout(1)': { before: ['/usr/bin/timeout', '1', '%SHELL%', '-c', 'sleep 10'] },
  // It sends TERM to its child, then to the group: the trap lets the second pass.
  'under timeout(1) with a trap': {
    before: ['/usr/bin/timeout', '1', '%SHELL%', '-c', 'trap "trap : TERM; echo term; exit 4" TERM; sleep 60; :'],
  },
  'no shell in PATH': { args: ['-c', 'echo fine'], env: { PATH: '/nowhere' } },
  // terminals
  'a terminal': { before: pty('%SHELL% -c "tty >/dev/null && echo tty; [ -t 2 ]; exit 5"') },
  'a terminal, interactive': { before: pty('echo exit 3 | %SHELL% --norc -i'), env: { PS1: '$ ' } },
  'job control on a terminal': { before: pty(`%SHELL% -mc 'sleep 0.05 & fg >/dev/null; echo $?; exit 2'`) },
  // other shells
  'sh -c': { shell: 'sh', args: ['-c', 'echo $0 $1; exit 13', 'a', 'b'] },
  'sh with a script on stdin': { shell: 'sh', args: [], stdin: 'echo dash\n' },
  'dash -c': { shell: 'dash', args: ['-c', 'echo "$0"; echo "$1" | cat', 'x', 'y'] },
  'sh -e': { shell: 'sh', args: ['-ec', 'false; echo no'] },
  // what the agents run (bash -c of each, as they were seen to)
  'Claude Code': {
    args: [
      '-c',
      `source %DIR%/rc.sh 2>/dev/null || true && eval 'echo "out"; echo err >&2; (exit 3)' < /dev/null && pwd -P >| %DIR%/cwd`,
    ],
  },
  'Claude Code, login': { args: ['-c', '-l', `eval 'echo hi' \\< /dev/null && pwd -P >| %DIR%/cwd`] },
  Codex: { args: ['-lc', 'cd / && ls -d usr | head -1 && exit 9'] },
  'Codex, its wrapper': {
    args: ['-c', `if . '%DIR%/rc.sh' >/dev/null 2>&1; then :; fi\nexec '%SHELL%' -c 'echo inner; exit 4'`],
  },
  opencode: { args: ['-c', 'git --version >/dev/null; echo "a"; false'] },
  pi: { args: ['-c', 'echo pi && sleep 0.01 & wait'] },
  'Gemini CLI': {
    args: [
      '-c',
      `shopt -u promptvars nullglob extglob nocaseglob dotglob; ( trap 'echo trapped' EXIT; echo work; exit 6 ); __code=$?; exit $__code`,
    ],
  },
};

/** Signals that end a bash; it ignores SIGQUIT, which ends a dash. */
const fatal = [1, 2, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 29, 30, 31, 34, 64];
for (const signal of fatal)
  table[`killed by signal ${signal}`] = { args: ['-c', `kill -${signal} $$; sleep 5`], signal };
table['killed by signal 3'] = { shell: 'dash', args: ['-c', 'kill -3 $$; sleep 5'], signal: 3 };

describe.skipIf(cannotRun)(`through the shim as without it${cannotRun ? ` (${cannotRun})` : ''}`, () => {
  let session: Session;
  let directory: ReturnType<typeof scratchDirectory>;
  beforeAll(async () => {
    session = await Session.start();
    directory = scratchDirectory();
    writeFileSync(join(directory.path, 'script.sh'), 'echo "$0" | tail -c 10; echo "$#:$1:$2"; exit 44\n');
    writeFileSync(join(directory.path, 'rc.sh'), 'echo rc\n');
  });
  afterAll(async () => {
    await session[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  async function run(shell: string, path: string, invocation: Invocation): Promise<Result> {
    const fill = (word: string) => word.replaceAll('%SHELL%', path).replaceAll('%DIR%', directory.path);
    let stdin: number = invocation.stdin === -1 ? -1 : 0;
    if (typeof invocation.stdin === 'string') {
      writeFileSync(join(directory.path, 'stdin'), invocation.stdin);
      stdin = openSync(join(directory.path, 'stdin'), 'r');
    }
    const env = Object.fromEntries(Object.entries(invocation.env ?? {}).map(([name, value]) => [name, fill(value)]));
    const argv = invocation.before?.map(fill) ?? [invocation.argv0 ?? shell, ...(invocation.args ?? []).map(fill)];
    try {
      return await session.run(invocation.before ? argv[0]! : path, argv, {
        env: { SHELL: '/bin/sh', ...env },
        fds: [stdin, invocation.stdout ?? 1, invocation.stderr ?? 2],
      });
    } finally {
      if (stdin > 2) closeSync(stdin);
    }
  }

  /** What differs from run to run: the path it was called by, temporary directories, and pids in bash's messages. */
  const neutral = (text: string, path: string) =>
    text
      .replaceAll(path, '%SHELL%')
      .replace(/acg-test-\w+/g, '%DIR%')
      .replace(/\d+ (?=Killed)/g, '')
      .replace(/process group \(-?\d+\)/g, 'process group');

  test('the table is long enough', () => expect(Object.keys(table).length).toBeGreaterThanOrEqual(100));

  test.each(Object.entries(table))('%s', async (_, invocation) => {
    const shell = invocation.shell ?? 'bash';
    const paths = { real: `/bin/${shell}`, shim: session.shim(shell) };
    const before = session.daemon.calls.length;
    const real = await run(shell, paths.real, invocation);
    expect(session.daemon.calls).toHaveLength(before);
    const shim = await run(shell, paths.shim, invocation);
    expect(session.daemon.calls.length).toBeGreaterThan(before);

    expect(neutral(shim.stdout, paths.shim)).toBe(neutral(real.stdout, paths.real));
    expect(neutral(shim.stderr, paths.shim)).toBe(neutral(real.stderr, paths.real));
    if (invocation.signal && !invocation.before?.includes('/usr/bin/timeout')) {
      expect(real.signal).not.toBeNull();
      expect(shim).toMatchObject({ code: 128 + invocation.signal, signal: null });
    } else {
      expect({ code: shim.code, signal: shim.signal }).toEqual({ code: real.code, signal: real.signal });
    }
  });

  test('every exit status', async () => {
    const statuses = Array.from({ length: 256 }, (_, i) => i);
    const seen: (number | null)[] = [];
    for (let i = 0; i < statuses.length; i += 8)
      seen.push(
        ...(await Promise.all(
          statuses.slice(i, i + 8).map((n) => session.run(session.shim('bash'), ['bash', '-c', `exit ${n}`])),
        ).then((results) => results.map(({ code }) => code))),
      );
    expect(seen).toEqual(statuses);
  });
});
