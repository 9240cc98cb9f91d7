import { isAbsolute } from 'node:path';
import { AcgError } from '../../model/index.ts';
import { calling } from './addon.ts';

export interface SpawnRequest {
  /** Absolute path of the program; PATH is not searched. */
  file: string;
  /** The whole argument vector, argv[0] included. */
  argv: readonly string[];
  /** The whole environment; nothing is added. */
  env: Readonly<Record<string, string | undefined>>;
  /** Directory the child starts in; the caller's own when left out. */
  cwd?: string;
  /** Descriptor of a cgroup v2 directory: the child is born in it, never moved. Left out: the caller's cgroup. */
  cgroupFd?: number;
  uid?: number;
  /** With `gid` all supplementary groups are dropped. */
  gid?: number;
  /** fds[i] becomes descriptor i of the child, -1 leaves it closed; nothing else is passed on. Default: [0, 1, 2]. */
  fds?: readonly number[];
  /** setsid in the child: a session of its own, no controlling terminal. */
  newSession?: boolean;
}

export interface Spawned {
  pid: number;
  /** Yours: close it (or give it to `watchExit` and close it afterwards). */
  pidfd: number;
}

function checkText(what: string, text: string): string {
  if (text.includes('\0')) throw new AcgError('ACG_BAD_REQUEST', `${what} contains a NUL character`);
  return text;
}

function environment(env: SpawnRequest['env']): string[] {
  const result: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    if (name === '' || name.includes('='))
      throw new AcgError('ACG_BAD_REQUEST', `not a name of an environment variable: ${name}`);
    result.push(checkText('the environment', `${name}=${value}`));
  }
  return result;
}

/**
 * Starts a program by clone3: born inside the cgroup, signal mask and dispositions at their defaults, no descriptor
 * inherited but `fds`. Returns once the program runs; when it cannot be started (ENOENT, EACCES, ENOTDIR for cwd, EBUSY
 * for a cgroup with controllers below it, ...) a SyscallError says which call failed. The child is the caller's to reap:
 * `watchExit` does.
 */
export function spawn(request: SpawnRequest): Spawned {
  if (!isAbsolute(request.file)) throw new AcgError('ACG_BAD_REQUEST', `not an absolute path: ${request.file}`);
  const [pid, pidfd] = calling(request.file, (addon) =>
    addon.spawn(
      checkText('the path', request.file),
      request.argv.map((arg) => checkText('an argument', arg)),
      environment(request.env),
      [...(request.fds ?? [0, 1, 2])],
      checkText('the working directory', request.cwd ?? ''),
      request.cgroupFd ?? -1,
      request.uid ?? -1,
      request.gid ?? -1,
      request.newSession ?? false,
    ),
  );
  return { pid, pidfd };
}
