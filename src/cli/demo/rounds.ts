import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openRoot } from '../../control/cgroup/index.ts';
import { DaemonClient, daemonPaths } from '../../control/client/index.ts';
import { AcgError } from '../../model/index.ts';
import { openTraces } from '../../trace/index.ts';
import { DaemonKeeper } from '../run/daemon-keeper.ts';
import { AGENTS, type AgentResult, agentCommand, copyProject, runToEnd } from './agents.ts';

const cli = new URL('../../../bin/agentcgroup.js', import.meta.url).pathname;

/** One pass of the three agents under one memory budget. */
export interface Round {
  name: string;
  agents: AgentResult[];
  /** Processes the kernel's OOM killer took, by its own count. */
  oomKills: number;
  peakBytes: number | undefined;
}

/** All three in one memory cgroup, as in a container with a limit. `projects`: as `prepareProjects` made them. */
export async function containerRound(
  budget: number,
  projects: string,
  dir: string,
  show: (line: string) => void,
): Promise<Round> {
  const root = await openRoot({ name: 'agentcgroup-demo' });
  if (!root.enabled.includes('memory')) {
    root.cgroup.tryRemove();
    throw new AcgError('ACG_NO_CGROUP2', `the demo needs the memory controller: ${root.missing[0]?.why}`);
  }
  const container = root.cgroup.create('container');
  try {
    container.write('memory.max', budget);
    container.write('memory.swap.max', 0);
    const enter = ['/bin/sh', '-c', 'echo 0 > "$1/cgroup.procs" && shift && exec "$@"', 'sh', container.path];
    const agents = await Promise.all(
      AGENTS.map((agent) => {
        const log = join(dir, `${agent}.ndjson`);
        return runToEnd(agent, [...enter, ...agentCommand(agent, copyProject(agent, projects, dir), log)], log, show);
      }),
    );
    const oomKills = container.read('memory.events')?.oomKill ?? 0;
    return { name: 'one container limit', agents, oomKills, peakBytes: container.read('memory.peak') };
  } finally {
    await container.end();
    root.cgroup.tryRemove();
  }
}

/** Each a session of its own under agentcgroup, the tree as a whole under the same budget. */
export async function controlledRound(
  budget: number,
  perSession: number,
  projects: string,
  dir: string,
  show: (line: string) => void,
): Promise<Round> {
  const runDir = join(dir, 'run');
  const paths = daemonPaths({ runDir, traceDir: join(dir, 'traces') });
  // an emulated processor takes longer to verify the BPF programs than the demo takes
  const tier = process.env.AGENTCGROUP_LAB ? ['--tier', 'cgroup'] : [];
  // and on a slow machine the agents take longer to come than a daemon waits for them by default
  const extra = ['--memory', String(budget), '--idle-exit', '600', ...tier];
  const keeper = new DaemonKeeper(paths, extra, (text) => show(`agentcgroup: ${text}`));
  try {
    const health = await keeper.ensure();
    for (const note of health.notes) show(`agentcgroup: ${note}`);
    const agents = await Promise.all(
      AGENTS.map((agent) => {
        const log = join(dir, `${agent}.ndjson`);
        const run = [
          process.execPath,
          cli,
          'run',
          '--name',
          agent,
          '--memory',
          String(perSession),
          '--run-dir',
          runDir,
          '--quiet',
        ];
        return runToEnd(
          agent,
          [...run, '--', ...agentCommand(agent, copyProject(agent, projects, dir), log)],
          log,
          show,
        );
      }),
    );
    const traces = await readTraces(paths.traceDir);
    for (const result of agents) {
      const trace = traces.find((t) => t.session.session === result.agent);
      result.peakBytes = Math.max(
        0,
        ...(trace?.samples ?? []).filter((s) => s.scope === 'session').map((s) => s.memoryBytes),
      );
    }
    const oomKilled = traces.flatMap((t) => t.calls).filter((call) => call.oomKilled).length;
    return { name: 'agentcgroup', agents, oomKills: oomKilled, peakBytes: undefined };
  } finally {
    keeper.close();
    await stopDaemon(new DaemonClient(paths.apiSocket));
    rmSync(runDir, { recursive: true, force: true });
  }
}

async function readTraces(dir: string) {
  const found = [];
  if (existsSync(dir) && readdirSync(dir).length > 0) for await (const trace of openTraces([dir])) found.push(trace);
  return found;
}

async function stopDaemon(client: DaemonClient): Promise<void> {
  const health = await client.health().catch(() => undefined);
  if (!health) return;
  process.kill(health.pid, 'SIGTERM');
  while (existsSync(client.socket)) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** Makes the folder of a round. */
export function roundDir(out: string, name: string): string {
  const dir = join(out, name);
  mkdirSync(dir, { recursive: true });
  return dir;
}
