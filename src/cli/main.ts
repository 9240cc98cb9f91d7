import { Command, CommanderError } from 'commander';
import { commands } from './commands.ts';
import { version } from './version.ts';

// a reader that has seen enough (`| head`) is no error; a full disk is
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  void fail(error);
});

const program = new Command('agentcgroup')
  .description('The resource controller for sandboxed AI coding agents: every tool call in its own cgroup.')
  .version(version)
  .addHelpText(
    'after',
    `
agentcgroup COMMAND --help has examples. An error is one line on stderr with a code, ACG_...: docs/errors.md.
Exit status: 0 done; 64 wrong command line; 65, 66 wrong or missing input; 69 something is not there or not possible here;
70, 71 an error of ours or of the system; 73 it is there already; 74 a file cannot be read or written; 75 try later; 76 another
release; 77 no permission; 78 wrong configuration. run, mcp and lab run exit as their command does, 128+N for signal N.

Examples:
  agentcgroup doctor
  agentcgroup run --memory 2G --name fix-42 -- claude
  agentcgroup calls --watch`,
  )
  // said below, in the form that all errors have
  .configureOutput({ outputError: () => {} })
  .enablePositionalOptions()
  .exitOverride();
const asked = commands[process.argv[2] ?? ''];
for (const load of asked ? [asked] : Object.values(commands)) (await load())(program);

try {
  await program.parseAsync();
} catch (error) {
  await fail(error);
}

async function fail(error: unknown): Promise<never> {
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
