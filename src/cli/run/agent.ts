import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, watch } from 'node:fs';
import { join, resolve } from 'node:path';
import { Cgroup } from '../../control/cgroup/index.ts';
import { type DaemonPaths, daemonPaths } from '../../control/client/index.ts';
import { prepareShimDirectory, type ShimConfig, shimConfigLines } from '../../control/intercept/index.ts';
import {
  type ExitStatus,
  nativeProgram,
  pidfdSendSignal,
  type Spawned,
  signalNumber,
  spawn,
  watchExit,
} from '../../control/native/index.ts';
import { AcgError, type SessionRequest, type SessionStatus } from '../../model/index.ts';
import { DaemonKeeper } from './daemon-keeper.ts';
import { inheritedFds } from './inherited.ts';

export interface RunOptions {
  way: 'auto' | 'mount' | 'env';
  /** As configured for the daemon when absent. */
  fail?: 'open' | 'closed';
  signalExit?: '128' | 'same';
  runDir?: string;
  traceDir?: string;
  cgroupRoot?: string;
  quiet?: boolean;
}

/** The names under which agents ask for a shell. */
const SHELLS = ['bash', 'sh', 'dash', 'zsh'];
/** What the agent's own processes get: hard to choose for the OOM killer, not impossible. */
const AGENT_OOM_SCORE_ADJ = -900;
/** Passed on to the agent; what a terminal sends reaches it by itself. */
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGINT', 'SIGQUIT'] as const;
const FROM_TERMINAL = new Set<string>(['SIGINT', 'SIGQUIT']);

/**
 * Runs a command as an agent session and returns the exit status a shell would give it. When it returns, everything the
 * session started is dead and its cgroups are gone. Throws AcgError when the session cannot be made.
 */
export async function runAgent(agent: string[], request: SessionRequest, options: RunOptions): Promise<number> {
  const paths = daemonPaths(options);
  const extra = options.cgroupRoot === undefined ? [] : ['--cgroup-root', resolve(options.cgroupRoot)];
  const say = (text: string) => options.quiet || process.stderr.write(`agentcgroup: ${text}\n`);
  const keeper = new DaemonKeeper(paths, extra, say);
  try {
    await keeper.ensure();
    const oomScoreAdj = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
    const session = await keeper.client.createSession({ ...request, argv: agent, owned: true, oomScoreAdj });
    for (const limit of session.notEnforced) say(`not enforced: ${limit}`);
    let ended: ExitStatus | undefined;
    try {
      const { intercept } = await keeper.client.config();
      const { fail = intercept.fail, signalExit = intercept.signalExit } = options;
      const shim = { fail, signalExit, waitMs: intercept.wait };
      ended = await runIn(session, agent, paths, options.way, shim, say);
    } finally {
      await keeper.ensure();
      await keeper.client.endSession(session.session, { exitCode: ended?.code ?? null, signal: ended?.signal ?? null });
    }
    return ended.signal === null ? (ended.code ?? 70) : 128 + signalNumber(ended.signal);
  } finally {
    keeper.close();
  }
}

async function runIn(
  session: SessionStatus,
  agent: string[],
  paths: DaemonPaths,
  way: RunOptions['way'],
  shim: ShimConfig,
  say: (text: string) => void,
): Promise<ExitStatus> {
  const dir = join(paths.runDir, 'sessions', session.session);
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  try {
    const child = start(session, agent, dir, paths, way, shim);
    const stopReading = sayReport(join(dir, 'report'), say);
    const stop = forwardSignals(child);
    try {
      return await new Promise((resolve, reject) => {
        watchExit(child, (status) =>
          status ? resolve(status) : reject(new AcgError('ACG_INTERNAL', 'the agent was reaped by someone else')),
        );
      });
    } finally {
      stop();
      stopReading();
      closeSync(child.pidfd);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Starts agentcgroup-enter, born in the agent leaf; it becomes the agent. */
function start(
  session: SessionStatus,
  agent: string[],
  dir: string,
  paths: DaemonPaths,
  way: RunOptions['way'],
  config: ShimConfig,
): Spawned {
  const shim = nativeProgram('agentcgroup-shell');
  const enter = nativeProgram('agentcgroup-enter');
  const envDir = join(dir, 'env');
  if (way !== 'mount') prepareShimDirectory(envDir, { shim, socket: paths.shimSocket, shells: SHELLS, config });
  const fds = inheritedFds(isCloseOnExec, openFds());
  const report = openSync(join(dir, 'report'), 'w', 0o600);
  const argv = [
    ...[
      'agentcgroup-enter',
      '--shim',
      shim,
      '--socket',
      paths.shimSocket,
      '--config',
      shimConfigLines(config).join(';'),
    ],
    ...['--shells', SHELLS.join(','), '--way', way, '--env-dir', envDir],
    ...[
      '--report-fd',
      String(fds.length),
      '--oom-score-adj',
      String(AGENT_OOM_SCORE_ADJ),
      `--pdeathsig=${process.pid}`,
    ],
    ...['--', ...agent],
  ];
  try {
    return new Cgroup(session.agentCgroup!).withFd((cgroupFd) =>
      spawn({
        file: enter,
        argv,
        env: { ...process.env, AGENTCGROUP_SESSION: session.session, AGENTCGROUP_API: paths.apiSocket },
        cwd: process.cwd(),
        cgroupFd,
        fds: [...fds, report],
      }),
    );
  } finally {
    closeSync(report);
  }
}

function openFds(): number[] {
  return readdirSync('/proc/self/fd').map(Number);
}

function isCloseOnExec(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0';
    return (Number.parseInt(flags, 8) & 0o2000000) !== 0;
  } catch {
    // the descriptor of the listing itself, closed by now
    return true;
  }
}

/**
 * Says what agentcgroup-enter did, as soon as it has written its report: a line for the OOM score when that was
 * refused, and last the way in which shell calls are caught. Returns how to stop waiting.
 */
function sayReport(file: string, say: (text: string) => void): () => void {
  let done = false;
  const look = () => {
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    const way = lines.find((line) => line.startsWith('way='));
    if (done || way === undefined) return;
    done = true;
    watcher.close();
    const refused = lines.find((line) => line.startsWith('oom_score_adj='));
    if (refused) say(`the agent is not protected from the OOM killer: ${refused.replace(/^.*reason=/, '')}`);
    const why = way.match(/ reason=(.*)$/)?.[1];
    if (way.startsWith('way=mount')) say('shell calls are caught by mounts over the shells');
    else say(`shell calls are caught by environment variables, which some agents ignore${why ? ` (${why})` : ''}`);
  };
  const watcher = watch(file, look);
  look();
  return () => {
    // an agent that has ended at once
    look();
    watcher.close();
  };
}

function forwardSignals(child: Spawned): () => void {
  const handlers = FORWARDED.map((signal) => {
    const forward = () => {
      // the terminal has sent it to the whole foreground group: the agent has it already
      if (FROM_TERMINAL.has(signal) && process.stdin.isTTY) return;
      try {
        pidfdSendSignal(child.pidfd, signal);
      } catch {
        // it has just ended; its status is on the way
      }
    };
    process.on(signal, forward);
    return { signal, forward };
  });
  return () => {
    for (const { signal, forward } of handlers) process.off(signal, forward);
  };
}
