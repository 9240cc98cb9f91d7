// Runs inside a lab guest: `node in-lab.ts AGENT GROW LIMIT_MS` runs that agent with a greedy command (the compiled grow.c) and
// prints what came of it as JSON.
import { agents } from './catalog.ts';
import { installAgent } from './install.ts';
import { runAgent } from './run.ts';

const [name, grow, limit] = process.argv.slice(2);
const agent = agents.find((a) => a.name === name);
if (!agent) throw new Error(`no agent ${name}`);
const installed = installAgent(agent);
if ('missing' in installed) throw new Error(installed.missing);
const script = ['echo before', `echo small; ${grow} 4000 500 0 1`, 'echo after'];
const run = await runAgent(agent, installed.program, script, {
  // enough for the agent, and soon reached by the command: an emulated machine touches memory slowly
  under: ['--quiet', '--memory', agent.name === 'opencode' ? '1000m' : '700m'],
  timeoutMs: Number(limit),
});
process.stdout.write(JSON.stringify(run));
