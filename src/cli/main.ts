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
  .showHelpAfterError('(see --help)')
  .enablePositionalOptions()
  .exitOverride();
const asked = commands[process.argv[2] ?? ''];
for (const load of asked ? [asked] : Object.values(commands)) (await load())(program);

try {
  await program.parseAsync();
} catch (error) {
  // commander has printed its own message already
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 64);
  const { asAcgError } = await import('../model/index.ts');
  const e = asAcgError(error);
  process.stderr.write(`agentcgroup: ${e.code}: ${e.message}\n`);
  if (e.code === 'ACG_INTERNAL' && e.cause instanceof Error) process.stderr.write(`${e.cause.stack}\n`);
  process.exit(e.exit);
}
