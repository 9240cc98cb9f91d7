import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The three scripted agents of examples/, each with a project of its own. */
export const AGENTS = ['typescript', 'python', 'c'] as const;
export type AgentName = (typeof AGENTS)[number];

const examples = new URL('../../../examples/', import.meta.url).pathname;

/** What one agent came to, from its own log and its exit. */
export interface AgentResult {
  agent: AgentName;
  /** Did the agent live to the end of its plan? */
  alive: boolean;
  stepsDone: number;
  steps: number;
  callsDone: number;
  /** Calls that ended by SIGKILL. */
  callsKilled: number;
  seconds: number;
  /** Largest memory of its session; unknown where all share one cgroup. */
  peakBytes?: number;
}

/** Each agent's project as a git repository below `dir`, for `copyProject`. */
export function prepareProjects(dir: string): string {
  for (const agent of AGENTS) {
    const cwd = join(dir, agent);
    cpSync(join(examples, agent, 'project'), cwd, { recursive: true });
    const who = ['-c', 'user.name=demo', '-c', 'user.email=demo@localhost'];
    for (const args of [
      ['init', '-q'],
      ['add', '-A'],
      [...who, 'commit', '-qm', 'The project'],
    ])
      execFileSync('git', args, { cwd, stdio: 'ignore' });
  }
  return dir;
}

/** A fresh copy of an agent's prepared project. */
export function copyProject(agent: AgentName, projects: string, dir: string): string {
  const project = join(dir, agent);
  cpSync(join(projects, agent), project, { recursive: true });
  return project;
}

/** The agent's command line; it writes what it did to `log`. */
export function agentCommand(agent: AgentName, project: string, log: string): string[] {
  return [process.execPath, join(examples, 'agent.mjs'), join(examples, agent, 'plan.json'), project, log];
}

/** Runs a command that leads to the agent, shows its lines as they come, and resolves with what came of it. */
export async function runToEnd(
  agent: AgentName,
  command: string[],
  log: string,
  show: (line: string) => void,
): Promise<AgentResult> {
  mkdirSync(join(log, '..'), { recursive: true });
  const begin = performance.now();
  // the plain system's tools and those of this package: a user's own wrappers would cost more than the work
  const path = [new URL('../../../node_modules/.bin', import.meta.url).pathname, '/usr/local/bin', '/usr/bin', '/bin'];
  const env = { ...process.env, PATH: path.join(':') };
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], env });
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', show);
  const ended = await new Promise<string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(signal ?? `exit ${code}`));
  });
  const seconds = (performance.now() - begin) / 1000;
  const result = { agent, seconds, ...readLog(agent, log) };
  if (!result.alive) show(`[${agent}] THE AGENT IS DEAD (${ended}): its context is lost`);
  return result;
}

interface LogEntry {
  command?: string;
  code?: number | null;
  signal?: string | null;
  finished?: boolean;
  done?: number;
}

function readLog(agent: AgentName, log: string): Omit<AgentResult, 'agent' | 'seconds'> {
  const lines = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').filter(Boolean) : [];
  const entries = lines.map((line) => JSON.parse(line) as LogEntry);
  const calls = entries.filter((entry) => entry.command !== undefined);
  const last = entries.find((entry) => entry.finished);
  const steps = (JSON.parse(readFileSync(join(examples, agent, 'plan.json'), 'utf8')) as { steps: unknown[] }).steps
    .length;
  return {
    alive: last !== undefined,
    stepsDone: last?.done ?? Math.min(steps, calls.filter((call) => call.code === 0).length),
    steps,
    callsDone: calls.filter((call) => call.code === 0).length,
    // a shell reports a killed command as 128 + 9
    callsKilled: calls.filter((call) => call.signal === 'SIGKILL' || call.code === 137).length,
  };
}
