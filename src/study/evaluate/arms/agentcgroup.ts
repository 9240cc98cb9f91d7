import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { DaemonClient, daemonPaths } from '../../../control/client/index.ts';
import { AcgError, type EventRecord, type Tier } from '../../../model/index.ts';
import { parseLine } from '../../../trace/index.ts';
import type { Arm, ArmContext, RunningArm } from './arm.ts';

const START_LIMIT_MS = 120_000;

/** This project, with its defaults: the daemon as it is started by its command line, sessions as `agentcgroup run` starts them. */
const agentcgroup = (tier: Tier, what: string): Arm => ({
  name: `agentcgroup-${tier}`,
  what,
  begin: (context) => begin(context, tier),
});

export const agentcgroupCgroup = agentcgroup('cgroup', 'agentcgroup with its defaults, on cgroup v2 alone.');

export const agentcgroupSchedExt = agentcgroup(
  'sched-ext',
  'agentcgroup with its defaults on a stock kernel 7.2 or newer: its budgets kept by BPF programs at the charge.',
);

async function begin(context: ArmContext, tier: Tier): Promise<RunningArm> {
  const { dir, node, scenario, sessions, files, host } = context;
  const paths = daemonPaths({ runDir: join(dir, 'run'), traceDir: join(dir, 'traces') });
  const config = join(dir, 'agentcgroup.yaml');
  const tenants = Object.fromEntries(sessions.map((s) => [s.tenant, { priority: s.priority }]));
  writeFileSync(config, stringify({ tenants }));
  const logFile = join(dir, 'daemon.log');
  const log = openSync(logFile, 'a');
  const args = ['daemon', '--run-dir', paths.runDir, '--trace-dir', paths.traceDir, '--config', config];
  // the daemon owns its tree: the node itself
  args.push(
    '--cgroup-root',
    node.path,
    '--memory',
    String(scenario.node.memory),
    '--log-level',
    'warn',
    '--tier',
    tier,
  );
  const [program, ...first] = host.command;
  const daemon = spawn(program!, [...first, ...args], { stdio: ['ignore', 'ignore', log] });
  closeSync(log);
  const gone = new Promise<void>((done) => void daemon.once('exit', () => done()));
  const client = new DaemonClient(paths.apiSocket);
  const said = () => readFileSync(logFile, 'utf8').trim().split('\n').slice(-3).join(' | ');
  for (const begun = performance.now(); ; await sleep(30)) {
    // requests that nobody takes yet cost a guest a quarter of a second
    const health = existsSync(paths.apiSocket) ? await client.health().catch(() => undefined) : undefined;
    if (health && health.pid === daemon.pid) {
      if (health.tier === tier) break;
      daemon.kill('SIGTERM');
      await gone;
      throw new AcgError(
        'ACG_EVALUATE',
        `tier ${tier} is not in force here but ${health.tier}: ${health.notes.join('; ')}`,
      );
    }
    if (daemon.exitCode !== null || performance.now() - begun > START_LIMIT_MS) {
      daemon.kill('SIGKILL');
      throw new AcgError('ACG_NO_DAEMON', `the arm's own: ${said()}`);
    }
  }
  return {
    first: sessions,
    start: (session) =>
      host.runSession(
        files.write(session.replay),
        { name: session.name, tenant: session.tenant, priority: session.priority },
        paths.runDir,
      ),
    controllers: [daemon.pid!],
    place(path) {
      const m = /^\/tenant-[^/]+\/session-([^/]+)\/(agent|tool-[^/]+)$/.exec(path);
      return m ? { session: m[1]!, call: m[2] === 'agent' ? null : m[2]! } : undefined;
    },
    decisions: async () => decisionsIn(paths.traceDir),
    async stop() {
      if (daemon.exitCode !== null || daemon.signalCode !== null)
        throw new AcgError('ACG_NO_DAEMON', `it ended during the run: ${said()}`);
      daemon.kill('SIGTERM');
      const timer = setTimeout(() => daemon.kill('SIGKILL'), 20_000);
      await gone;
      clearTimeout(timer);
    },
  };
}

/**
 * The events of all calls in the daemon's traces. A torn last line is no event yet. Of the other records, most of which are samples,
 * none is parsed: that would take a guest half a second.
 */
function decisionsIn(traceDir: string): EventRecord[] {
  const found: EventRecord[] = [];
  for (const file of readdirSync(traceDir, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ndjson')) continue;
    for (const text of readFileSync(join(traceDir, file), 'utf8').split('\n')) {
      const record = text.includes('"type":"event"') ? parseLine(text) : undefined;
      if (!record || 'why' in record || record.type !== 'event') continue;
      if (record.call !== undefined && record.text !== undefined) found.push(record);
    }
  }
  return found.sort((a, b) => a.t - b.t);
}
