// Runs inside a lab guest: `node in-lab.ts AGENT` runs that agent with a greedy command and prints what came of it as JSON.
import { agents } from './catalog.ts';
import { installAgent } from './install.ts';
import { runAgent } from './run.ts';

const agent = agents.find(({ name }) => name === process.argv[2]);
if (!agent) throw new Error(`no agent ${process.argv[2]}`);
const installed = installAgent(agent);
if ('missing' in installed) throw new Error(installed.missing);
/** `tail` keeps the one endless line it is given: it grows until something stops it. */
const script = ['echo before', 'echo small; head -c 4000000000 /dev/zero | tail', 'echo after'];
const run = await runAgent(agent, installed.program, script, {
  // enough for the agent, and soon reached by the command: an emulated machine touches memory slowly
  under: ['--quiet', '--memory', agent.name === 'opencode' ? '1000m' : '700m'],
  timeoutMs: Number(process.argv[3]),
});
process.stdout.write(JSON.stringify(run));
