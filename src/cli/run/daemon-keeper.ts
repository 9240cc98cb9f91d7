import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DaemonClient, type DaemonPaths } from '../../control/client/index.ts';
import { watchExit } from '../../control/native/index.ts';
import { AcgError, type Health } from '../../model/index.ts';

/** A daemon takes about half a second to start; on a loaded machine or an emulated one many times that: while it lives, it may. */
const START_LIMIT_MS = 180_000;
/** A wait that people should know of. */
const NOTICE_AFTER_MS = 3000;
/** A daemon that `run` has started leaves when it has had no session for this long. */
const IDLE_SECONDS = 10;
const program = new URL('../../../bin/agentcgroup.js', import.meta.url).pathname;

/** Sees to it that a daemon answers: starts one when none does, and again when it dies. */
export class DaemonKeeper {
  readonly client: DaemonClient;
  readonly #paths: DaemonPaths;
  readonly #extra: string[];
  #watch: { close(): void } | undefined;
  /** How the daemon that answered was started: one that takes its place is started the same way. */
  #arguments: string[] | undefined;

  readonly #notice: (text: string) => void;

  /** `extra`: further arguments of `agentcgroup daemon`. `notice`: told of a start that takes long. */
  constructor(paths: DaemonPaths, extra: string[], notice: (text: string) => void = () => {}) {
    this.#paths = paths;
    this.#extra = extra;
    this.#notice = notice;
    this.client = new DaemonClient(paths.apiSocket);
  }

  /** The answering daemon, started if need be. Throws ACG_NO_DAEMON with the end of its log when it does not come up. */
  async ensure(): Promise<Health> {
    const health = (await this.#ask()) ?? (await this.#start());
    this.#arguments ??= argumentsOf(health.pid);
    if (!this.#watch) {
      try {
        this.#watch = watchExit({ pid: health.pid }, () => {
          this.#watch = undefined;
          // a failure shows where the daemon is needed next: at the latest when the session ends
          this.ensure().catch(() => {});
        });
      } catch {
        return this.ensure();
      }
    }
    return health;
  }

  close(): void {
    this.#watch?.close();
  }

  async #ask(): Promise<Health | undefined> {
    try {
      return await this.client.health();
    } catch (error) {
      if (error instanceof AcgError && error.code === 'ACG_NO_DAEMON') return undefined;
      throw error;
    }
  }

  async #start(): Promise<Health> {
    const { runDir, traceDir } = this.#paths;
    mkdirSync(runDir, { recursive: true, mode: 0o755 });
    const logFile = join(runDir, 'daemon.log');
    const log = openSync(logFile, 'a', 0o600);
    const folders = ['--run-dir', runDir, '--trace-dir', traceDir];
    const args = this.#arguments ?? ['daemon', ...folders, '--idle-exit', String(IDLE_SECONDS), ...this.#extra];
    const child = spawn(process.execPath, [program, ...args], {
      detached: true,
      stdio: ['ignore', 'ignore', log],
      cwd: '/',
    });
    closeSync(log);
    child.unref();
    const begin = performance.now();
    let gone = false;
    child.on('exit', () => {
      gone = true;
    });
    const slow = setTimeout(() => this.#notice('waiting for the daemon to start'), NOTICE_AFTER_MS);
    try {
      for (let wait = 20; performance.now() - begin < START_LIMIT_MS; wait = Math.min(wait * 1.5, 250)) {
        await sleep(wait);
        const health = await this.#ask();
        if (health) return health;
        // ours has ended: either it cannot run here, or another one was quicker and answers in a moment
        if (gone && performance.now() - begin > 3000) break;
      }
    } finally {
      clearTimeout(slow);
    }
    if (!gone) child.kill();
    const how = gone ? 'ended' : `did not answer within ${START_LIMIT_MS / 1000} s`;
    throw new AcgError(
      'ACG_NO_DAEMON',
      `the one started for this session ${how}; ${logFile} says: ${lastLine(logFile)}`,
    );
  }
}

/** The arguments of `agentcgroup` that made a process a daemon, from `daemon` on; undefined when they cannot be read. */
function argumentsOf(pid: number): string[] | undefined {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    const at = words.indexOf('daemon');
    return at < 0 ? undefined : words.slice(at);
  } catch {
    return undefined;
  }
}

function lastLine(file: string): string {
  return readFileSync(file, 'utf8').trim().split('\n').at(-1) ?? '';
}
