import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Execution {
  cwd?: string;
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
}

/**
 * The standard output of a program that must succeed. Throws an Error whose message has the command and what the program
 * said on stderr; the signal's reason when aborted. setpriv(1) sees to it that the program dies with us.
 */
export async function execute(command: string, args: string[], { cwd, timeoutMs = 300_000, signal }: Execution = {}) {
  try {
    const { stdout } = await run('setpriv', ['--pdeathsig', 'KILL', '--', command, ...args], {
      cwd,
      timeout: timeoutMs,
      ...(signal && { signal }),
      killSignal: 'SIGKILL',
      maxBuffer: 64 << 20,
      encoding: 'buffer',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
    return stdout;
  } catch (error) {
    signal?.throwIfAborted();
    const { stderr, message } = error as Error & { stderr?: Buffer };
    const said = stderr?.toString().trim() || message;
    throw new Error(`${command} ${args.slice(-2).join(' ')}: ${said.split('\n').slice(-3).join(' | ')}`, {
      cause: error,
    });
  }
}
