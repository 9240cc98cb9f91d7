import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { CallRecord } from '../../src/model/index.ts';
import { TestDaemon } from '../native/daemon/harness.ts';
import { cgroup2Mount } from '../native/scratch.ts';
import type { Agent } from './catalog.ts';
import { type Script, shown } from './llm/script.ts';
import { type ScriptedModel, startModel } from './llm/server.ts';

const cli = resolve(import.meta.dirname, '../../bin/agentcgroup.js');

/** What came of one agent run. */
export interface AgentRun {
  status: number | null;
  timedOut: boolean;
  /** What the model was shown of each call, in the order of the script. */
  shown: string[];
  /** The records agentcgroup made of it; empty without it. */
  calls: CallRecord[];
  /** Cgroups left below the daemon's root. */
  left: number;
  /** For the message of a failed test. */
  output: string;
}

export interface RunSettings {
  /** Run it under `agentcgroup run` with these options. */
  under?: string[];
  timeoutMs: number;
  /** Called when the agent's home is there, before it starts. */
  furnish?: (home: string, project: string) => void;
}

/** Runs an agent once, in a home and a git repository of its own, against a model that follows the script. */
export async function runAgent(
  agent: Agent,
  program: string,
  script: Script,
  settings: RunSettings,
): Promise<AgentRun> {
  const dir = mkdtempSync(join(tmpdir(), `acg-agent-${agent.name}-`));
  const model = await startModel(script);
  try {
    const { home, project } = furnish(dir);
    agent.prepare?.(home, model.url);
    settings.furnish?.(home, project);
    const env = environment(agent, home, model.url);
    const command = [program, ...agent.args('Carry out the steps.', model.url)];
    if (!settings.under) {
      const ended = await toEnd(command, project, env, settings.timeoutMs);
      return {
        ...ended,
        shown: shown(model.results),
        calls: [],
        left: 0,
        output: explain(ended.output, model),
      };
    }
    await using daemon = await TestDaemon.start(cgroup2Mount()!);
    const under = [process.execPath, cli, 'run', '--run-dir', daemon.paths.runDir, '--name', 'agent'];
    const ended = await toEnd([...under, ...settings.under, '--', ...command], project, env, settings.timeoutMs);
    return {
      ...ended,
      shown: shown(model.results),
      calls: recordsOf(daemon.paths.traceDir),
      left: daemon.root.exists() ? daemon.root.children().length : 0,
      output: explain(`${ended.output}\n-- daemon\n${daemon.log}`, model),
    };
  } finally {
    await model.close();
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

function furnish(dir: string): { home: string; project: string } {
  const home = join(dir, 'home');
  const project = join(dir, 'project');
  for (const folder of [home, project]) mkdirSync(folder);
  writeFileSync(join(project, 'file.txt'), 'hello\n');
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@localhost', ...args], { cwd: project });
  git('init', '--quiet');
  git('add', '.');
  git('commit', '--quiet', '--message', 'first');
  return { home, project };
}

/** A clean environment in which no proxy answers: nothing that the agent wants from the network leaves this machine. */
function environment(agent: Agent, home: string, url: string): Record<string, string> {
  const nowhere = 'http://127.0.0.1:9';
  return {
    PATH: [dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'].join(':'),
    HOME: home,
    XDG_CONFIG_HOME: join(home, '.config'),
    XDG_DATA_HOME: join(home, '.local/share'),
    XDG_CACHE_HOME: join(home, '.cache'),
    XDG_STATE_HOME: join(home, '.local/state'),
    SHELL: '/bin/bash',
    LANG: 'C.UTF-8',
    TERM: 'dumb',
    NO_COLOR: '1',
    DO_NOT_TRACK: '1',
    HTTP_PROXY: nowhere,
    HTTPS_PROXY: nowhere,
    NO_PROXY: '127.0.0.1,localhost',
    ...agent.env(home, url),
  };
}

function toEnd(
  command: string[],
  cwd: string,
  env: Record<string, string>,
  timeoutMs: number,
): Promise<{ status: number | null; timedOut: boolean; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0]!, command.slice(1), { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      process.kill(-child.pid!, 'SIGKILL');
    }, timeoutMs);
    child.on('error', reject);
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status, timedOut, output });
    });
  });
}

function recordsOf(traceDir: string): CallRecord[] {
  const calls = new Map<string, CallRecord>();
  for (const name of readdirSync(traceDir))
    for (const line of readFileSync(join(traceDir, name), 'utf8').trim().split('\n')) {
      const record = JSON.parse(line) as { type: string };
      if (record.type === 'call') calls.set((record as CallRecord).call, record as CallRecord);
    }
  return [...calls.values()].sort((a, b) => a.start - b.start);
}

function explain(output: string, { requests, strange }: ScriptedModel): string {
  return `${output.slice(-6000)}\nrequests: ${requests}; not answered: ${strange.join(', ') || 'none'}`;
}

/** Takes out of a transcript what no two runs have in common: times and identifiers. */
export function withoutAccidents(text: string): string {
  return text
    .replace(/Wall time: [\d.]+ seconds/g, 'Wall time: SECONDS')
    .replace(/Chunk ID: \w+/g, 'Chunk ID: ID')
    .replace(/acg-agent-[\w-]+/g, 'DIR');
}
