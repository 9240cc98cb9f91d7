import { Command, CommanderError } from 'commander';
import { commands } from './commands.ts';
import { version } from './version.ts';

// a reader that has seen enough (`| head`) is no error
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const program = new Command('agentcgroup')
  .description('The resource controller for sandboxed AI coding agents: every tool call in its own cgroup.')
  .version(version)
  // said below, in the form that all errors have
  .configureOutput({ outputError: () => {} })
  .enablePositionalOptions()
  .exitOverride();
const asked = commands[process.argv[2] ?? ''];
for (const load of asked ? [asked] : Object.values(commands)) (await load())(program);

try {
  await program.parseAsync();
} catch (error) {
  // commander has printed the help or the version already
  const printed = error instanceof CommanderError && (error.exitCode === 0 || error.code === 'commander.help');
  if (printed) process.exit(error.exitCode === 0 ? 0 : 64);
  const { AcgError, asAcgError } = await import('../model/index.ts');
  const e =
    error instanceof CommanderError
      ? new AcgError('ACG_USAGE', error.message.replace(/^error: /, '').replace(/\s+/g, ' '))
      : asAcgError(error);
  process.stderr.write(`agentcgroup: ${e.code}: ${e.message}\n`);
  if (e.code === 'ACG_INTERNAL' && e.cause instanceof Error) process.stderr.write(`${e.cause.stack}\n`);
  process.exit(e.exit);
}
