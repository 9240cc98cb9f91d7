import { closeSync, mkdirSync, openSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { defaultShimConfig, prepareShimDirectory, type ShimConfig } from '../../src/control/intercept/index.ts';
import {
  type ExitStatus,
  nativeProgram,
  type Spawned,
  type SpawnRequest,
  spawn,
  watchExit,
} from '../../src/control/native/index.ts';
import { cgroup2Mount, scratchDirectory } from './scratch.ts';
import { removeCgroup, ShimDaemon } from './shimDaemon.ts';

export interface Result {
  stdout: string;
  stderr: string;
  code: number | null;
  signal: string | null;
}

let counter = 0;

/** An agent session without agentcgroup's own daemon: cgroups, a shim directory, and the test daemon behind it. */
export class Session {
  readonly cgroup: string;
  readonly directory = scratchDirectory();
  readonly daemon: ShimDaemon;
  readonly shimDirectory: string;
  readonly #agentFd: number;

  private constructor(config: Partial<ShimConfig>) {
    this.cgroup = join(cgroup2Mount()!, `acg-test-shim-${process.pid}-${++counter}`);
    mkdirSync(join(this.cgroup, 'agent'), { recursive: true });
    this.#agentFd = openSync(join(this.cgroup, 'agent'), 'r');
    const socket = join(this.directory.path, 'daemon.sock');
    this.shimDirectory = join(this.directory.path, 'shim');
    prepareShimDirectory(this.shimDirectory, {
      shim: nativeProgram('agentcgroup-shell'),
      socket,
      shells: ['bash', 'sh', 'dash'],
      config: { ...defaultShimConfig, ...config },
    });
    this.daemon = new ShimDaemon(this.cgroup, socket);
  }

  static async start(config: Partial<ShimConfig> = {}): Promise<Session> {
    const session = new Session(config);
    await session.daemon.listen();
    return session;
  }

  shim(name: string): string {
    return join(this.shimDirectory, 'bin', name);
  }

  /** Starts a program in the agent leaf. */
  spawn(request: Omit<SpawnRequest, 'cgroupFd' | 'env'> & { env?: SpawnRequest['env'] }): Spawned {
    const env = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C.UTF-8', HOME: '/', ...request.env };
    return spawn({
      ...request,
      cgroupFd: this.#agentFd,
      env: { ...env, AGENTCGROUP_SHIM_DIR: this.shimDirectory },
    });
  }

  /** Runs a program in the agent leaf to its end, output in files. Killed after `limitMs`. */
  async run(
    file: string,
    argv: readonly string[],
    request: Partial<Omit<SpawnRequest, 'file' | 'argv' | 'cgroupFd'>> & { limitMs?: number } = {},
    during?: (child: Spawned) => Promise<void>,
  ): Promise<Result> {
    using directory = scratchDirectory();
    const [outFile, errFile] = [join(directory.path, 'out'), join(directory.path, 'err')];
    const own = [openSync('/dev/null', 'r'), openSync(outFile, 'a'), openSync(errFile, 'a')] as const;
    // In a request's fds: -1 closed, 0 to 2 one of ours, anything else a descriptor of the caller.
    const fds = (request.fds ?? [0, 1, 2]).map((fd) => (fd >= 0 && fd <= 2 ? own[fd as 0 | 1 | 2] : fd));
    const { limitMs, ...rest } = request;
    const child = this.spawn({ newSession: true, cwd: directory.path, ...rest, file, argv, fds });
    for (const fd of own) closeSync(fd);
    const ended = new Promise<ExitStatus | null>((done) => watchExit(child, done));
    const timer = setTimeout(() => process.kill(child.pid, 'SIGKILL'), limitMs ?? 20_000);
    await during?.(child);
    const status = (await ended)!;
    clearTimeout(timer);
    closeSync(child.pidfd);
    return {
      stdout: readFileSync(outFile, 'latin1'),
      stderr: readFileSync(errFile, 'latin1'),
      code: status.code,
      signal: status.signal,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
    closeSync(this.#agentFd);
    await removeCgroup(join(this.cgroup, 'agent'));
    rmdirSync(this.cgroup);
    this.directory[Symbol.dispose]();
  }
}
