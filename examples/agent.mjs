// A scripted agent: what a coding agent does with its machine, without the model. It knows nothing of agentcgroup.
//   node agent.mjs PLAN.json PROJECT_DIR [LOG.ndjson]
// It thinks, runs a shell command as agents do (a new `bash -c` in a session of its own, output captured), reads what came
// back and goes on. A step whose command fails is tried once more: as it is, or, when the output says that a limit on memory
// was the reason, the way the step's "smaller" says. It holds CONTEXT_MIB of memory, as a framework with its conversation does.
import { spawn } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const [planFile, cwd, logFile] = process.argv.slice(2);
if (!planFile || !cwd) {
  process.stderr.write('usage: node agent.mjs PLAN.json PROJECT_DIR [LOG.ndjson]\n');
  process.exit(64);
}
const plan = JSON.parse(readFileSync(planFile, 'utf8'));
const context = Buffer.alloc((Number(process.env.CONTEXT_MIB) || 100) * 2 ** 20, 1);
const say = (text) => process.stdout.write(`[${plan.name}] ${text}\n`);
const log = (entry) =>
  logFile && appendFileSync(logFile, `${JSON.stringify({ agent: plan.name, t: Date.now(), ...entry })}\n`);

function tool(command) {
  return new Promise((resolve) => {
    const begin = performance.now();
    const shell = spawn('/bin/bash', ['-c', command], { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [shell.stdout, shell.stderr]) stream.on('data', (chunk) => (output += chunk));
    shell.on('close', (code, signal) =>
      resolve({ command, code, signal, output, seconds: (performance.now() - begin) / 1000 }),
    );
  });
}

async function step({ run, smaller, think = 0.5 }) {
  await sleep(think * 1000);
  let result = await tool(run);
  report(result);
  if (result.code === 0 || !smaller) return result.code === 0;
  const limited = /memory/i.test(result.output);
  if (limited) say(`reads: ${result.output.trim().split('\n').at(-1)}`);
  await sleep(think * 1000);
  result = await tool(limited ? smaller : run);
  report(result);
  return result.code === 0;
}

function report({ command, code, signal, seconds, output }) {
  say(`$ ${command}  -> ${signal ?? `exit ${code}`} after ${seconds.toFixed(1)} s`);
  log({ command, code, signal, seconds, output: output.slice(-2000) });
}

let done = 0;
for (const s of plan.steps) if (await step(s)) done++;
say(`finished: ${done} of ${plan.steps.length} steps, context of ${context.length / 2 ** 20} MiB intact`);
log({ finished: true, done, of: plan.steps.length });
process.exit(done === plan.steps.length ? 0 : 1);
