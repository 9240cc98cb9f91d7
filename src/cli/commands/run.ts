import { type Command, InvalidArgumentError } from 'commander';
import type { Priority, SessionRequest } from '../../model/index.ts';

interface Options {
  tenant: string;
  priority?: Priority;
  memory?: string;
  cpuWeight?: number;
  pids?: number;
  name?: string;
  way: 'auto' | 'mount' | 'env';
  fail?: 'open' | 'closed';
  signalExit?: '128' | 'same';
  runDir?: string;
  traceDir?: string;
  cgroupRoot?: string;
  quiet?: boolean;
}

const whole = (text: string) => {
  const n = Number(text);
  if (!Number.isSafeInteger(n) || n < 1) throw new InvalidArgumentError('a whole number above 0 is expected');
  return n;
};
const oneOf =
  <T extends string>(...words: T[]) =>
  (text: string) => {
    if (!words.includes(text as T)) throw new InvalidArgumentError(`one of ${words.join(', ')} is expected`);
    return text as T;
  };

export function addRun(program: Command): void {
  program
    .command('run')
    .description('Start a command as an agent session: each of its shell calls gets its own cgroup.')
    .argument('<agent...>', 'the agent and its arguments, after --')
    .option('--tenant <name>', 'whose session it is', 'default')
    .option(
      '--priority <p>',
      "high, normal or low; the tenant's when absent, and never higher",
      oneOf<Priority>('high', 'normal', 'low'),
    )
    .option('--memory <size>', 'budget of the agent and all its calls together (e.g. 2G)')
    .option('--cpu-weight <n>', 'share of CPU against other sessions, 1 to 10000', whole)
    .option('--pids <n>', 'processes and threads of the whole session', whole)
    .option('--name <id>', 'the id of the session (default: generated)')
    .option(
      '--way <way>',
      'how shell calls are caught: mount (over the shells), env, auto',
      oneOf('auto', 'mount', 'env'),
      'auto',
    )
    .option(
      '--fail <mode>',
      'without a daemon, shell calls run unlimited (open) or are refused (closed); default: as configured',
      oneOf('open', 'closed'),
    )
    .option(
      '--signal-exit <mode>',
      'a call that died of signal N exits with 128+N (128) or dies of N too (same); default: as configured',
      oneOf('128', 'same'),
    )
    .option('--run-dir <dir>', "the daemon's folder (default: /run/agentcgroup)")
    .option('--trace-dir <dir>', 'for a daemon that this command starts')
    .option('--cgroup-root <dir>', 'for a daemon that this command starts')
    .option('--quiet', 'say nothing but errors')
    .passThroughOptions()
    .addHelpText(
      'after',
      `
A daemon is started when none runs, and again should it die. Standard streams, terminal, signals and exit status are the
agent's own (128+N when it died of signal N). At the end everything the session started is dead and its cgroups are gone.

Examples:
  agentcgroup run -- claude
  agentcgroup run --memory 2G --name fix-42 -- codex exec "fix the failing test"
  agentcgroup run --tenant ci --priority low --memory 1536m -- opencode run "update the docs"`,
    )
    .action(async (agent: string[], options: Options) => {
      const { memoryOf } = await import('../memory.ts');
      const session: SessionRequest = {
        tenant: options.tenant,
        priority: options.priority,
        ...(options.name !== undefined && { name: options.name }),
        ...(options.memory !== undefined && { memoryBytes: memoryOf(options.memory, '--memory') }),
        ...(options.cpuWeight !== undefined && { cpuWeight: options.cpuWeight }),
        ...(options.pids !== undefined && { pids: options.pids }),
      };
      const { runAgent } = await import('../run/agent.ts');
      process.exitCode = await runAgent(agent, session, options);
    });
}
