import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cgroup } from '../../../src/control/cgroup/index.ts';
import { DaemonClient, daemonPaths } from '../../../src/control/client/index.ts';
import { defaultShimConfig, prepareShimDirectory, type ShimConfig } from '../../../src/control/intercept/index.ts';
import {
  type ExitStatus,
  nativeProgram,
  type Spawned,
  spawn as spawnInto,
  watchExit,
} from '../../../src/control/native/index.ts';
import type { CallStatus, Config, SessionRequest, SessionStatus } from '../../../src/model/index.ts';

const cli = resolve(import.meta.dirname, '../../../bin/agentcgroup.js');
let counter = 0;

/** A real daemon with a tree, sockets and traces of its own, and everything gone at the end of the scope. */
export class TestDaemon {
  readonly dir = mkdtempSync(join(tmpdir(), 'acg-daemon-'));
  readonly paths = daemonPaths({ runDir: join(this.dir, 'run'), traceDir: join(this.dir, 'traces') });
  readonly client = new DaemonClient(this.paths.apiSocket);
  readonly root: Cgroup;
  readonly #extra: string[];
  process!: ChildProcess;

  private constructor(mount: string, extra: string[]) {
    this.root = new Cgroup(join(mount, `acg-test-daemon-${process.pid}-${++counter}`));
    this.#extra = extra;
  }

  /**
   * Starts one below `mount`; `extra` are further arguments of `agentcgroup daemon`. The BPF programs are one to a machine, which
   * others use too: outside the lab there is cgroup files only. `null`: the tier is what the configuration says.
   */
  static async start(mount: string, extra: string[] = [], tier: Config['tier'] | null = 'cgroup'): Promise<TestDaemon> {
    const daemon = new TestDaemon(mount, tier === null ? extra : ['--tier', tier, ...extra]);
    await daemon.startProcess();
    return daemon;
  }

  /** One with this configuration, and `extra` arguments as above. */
  static async configured(mount: string, yaml: string, extra: string[] = []): Promise<TestDaemon> {
    const daemon = new TestDaemon(mount, ['--tier', 'cgroup', ...extra]);
    const file = join(daemon.dir, 'agentcgroup.yaml');
    writeFileSync(file, yaml);
    daemon.#extra.push('--config', file);
    await daemon.startProcess();
    return daemon;
  }

  async startProcess(): Promise<void> {
    mkdirSync(this.paths.runDir, { recursive: true });
    const { runDir, traceDir } = this.paths;
    const args = [
      'daemon',
      '--run-dir',
      runDir,
      '--trace-dir',
      traceDir,
      '--cgroup-root',
      this.root.path,
      ...this.#extra,
    ];
    const log = openSync(join(this.dir, 'log'), 'a');
    this.process = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'ignore', log] });
    // an emulated machine takes its time
    const seconds = process.env.AGENTCGROUP_LAB ? 240 : 30;
    for (let i = 0; i < seconds * 20; i++) {
      await sleep(50);
      const health = await this.client.health().catch(() => undefined);
      if (health?.pid === this.process.pid) return;
      if (this.process.exitCode !== null) break;
    }
    throw new Error(`the daemon does not come up: ${readFileSync(join(this.dir, 'log'), 'utf8')}`);
  }

  /** kill -9, as a crash would; or another signal. */
  async crash(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const gone = new Promise((done) => this.process.once('exit', done));
    this.process.kill(signal);
    await gone;
  }

  get log(): string {
    return readFileSync(join(this.dir, 'log'), 'utf8');
  }

  /** `agentcgroup run` of this daemon, to its end. */
  run(options: string[], agent: string[], input = ''): { status: number | null; stdout: string; stderr: string } {
    const args = [cli, 'run', '--quiet', '--run-dir', this.paths.runDir, ...options, '--', ...agent];
    return spawnSync(process.execPath, args, { encoding: 'utf8', input, timeout: 280_000 });
  }

  /** A session without `run`: processes are put into its agent leaf by `spawn`. */
  async session(request: SessionRequest = {}, shim: Partial<ShimConfig> = {}): Promise<TestSession> {
    return new TestSession(this, await this.client.createSession(request), shim);
  }

  /** Ends what a test may have left: a second try of it starts from nothing. */
  async endSessions(): Promise<void> {
    for (const { session } of await this.client.sessions()) await this.client.endSession(session);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const gone = new Promise((done) => this.process.once('exit', done));
      this.process.kill('SIGTERM');
      await gone;
    }
    await this.root.end();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A session whose agent is the test itself. */
export class TestSession {
  readonly id: string;
  readonly agent: Cgroup;
  readonly daemon: TestDaemon;
  readonly shimDirectory: string;

  constructor(daemon: TestDaemon, status: SessionStatus, shim: Partial<ShimConfig>) {
    this.id = status.session;
    this.agent = new Cgroup(status.agentCgroup!);
    this.daemon = daemon;
    this.shimDirectory = join(daemon.dir, `shim-${status.session}`);
    prepareShimDirectory(this.shimDirectory, {
      shim: nativeProgram('agentcgroup-shell'),
      socket: daemon.paths.shimSocket,
      shells: ['bash', 'sh'],
      config: { ...defaultShimConfig, ...shim },
    });
  }

  get env(): Record<string, string> {
    return { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/', AGENTCGROUP_SHIM_DIR: this.shimDirectory };
  }

  /** Starts a program in the agent leaf. */
  spawn(file: string, argv: string[], env: Record<string, string> = {}): Spawned {
    return spawnIn(this.agent, file, argv, { ...this.env, ...env });
  }

  /** `bash -c SCRIPT` through the shim. */
  shell(script: string): Spawned & { ended: Promise<ExitStatus | null> } {
    const child = this.spawn(join(this.shimDirectory, 'bin/bash'), ['bash', '-c', script]);
    return { ...child, ended: new Promise((done) => void watchExit(child, done)) };
  }

  calls(): Promise<CallStatus[]> {
    return this.daemon.client.calls({ session: this.id });
  }
}

/** Starts a program in a cgroup, in a process session of its own, output discarded. */
export function spawnIn(cgroup: Cgroup, file: string, argv: string[], env: Record<string, string>): Spawned {
  const none = openSync('/dev/null', 'r+');
  try {
    return cgroup.withFd((cgroupFd) =>
      spawnInto({ file, argv, env, cgroupFd, newSession: true, fds: [none, none, none] }),
    );
  } finally {
    closeSync(none);
  }
}
