import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { Argument, type Command } from 'commander';
import type { Installable, Target } from '../../control/intercept/install/index.ts';
import { printJson } from '../print.ts';

interface Options {
  project?: string | true;
  print?: boolean;
  force?: boolean;
  json?: boolean;
}

const AGENTS = ['claude-code', 'codex', 'opencode', 'pi', 'gemini'];
const agentArgument = () => new Argument('<agent>', 'whose settings').choices(AGENTS);

export function addInstall(program: Command): void {
  program
    .command('install')
    .description(
      "Write agentcgroup's hooks into an agent's settings: its call ids into records, our feedback to its model.",
    )
    .addArgument(agentArgument())
    .option('--project [dir]', "into a project's settings instead of the user's own (default: the current folder)")
    .option('--print', 'print the file as it would be, change nothing')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Not needed for control: \`agentcgroup run\` catches every shell call without it. The hooks do nothing outside of a session.
The file's layout and comments stay as they are; FILE.agentcgroup beside it holds what \`uninstall\` needs. Codex asks you to
trust new hooks once (/hooks).

Examples:
  agentcgroup install claude-code
  agentcgroup install codex --print
  agentcgroup install opencode --project .`,
    )
    .action(async (agent: Installable, options: Options) => {
      const { install, preview } = await import('../../control/intercept/install/index.ts');
      const target = await targetFor(agent, options);
      if (options.print) {
        process.stderr.write(`${target.file}:\n`);
        process.stdout.write(preview(target));
      } else report(install(target), options);
    });
}

export function addUninstall(program: Command): void {
  program
    .command('uninstall')
    .description("Take agentcgroup's hooks out of an agent's settings: the file is put back byte for byte.")
    .addArgument(agentArgument())
    .option('--project [dir]', "of a project's settings (default: the current folder)")
    .option('--force', 'if the file was edited since: take only our part out of it')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExamples:\n  agentcgroup uninstall claude-code\n  agentcgroup uninstall gemini --force')
    .action(async (agent: Installable, options: Options) => {
      const { uninstall } = await import('../../control/intercept/install/index.ts');
      report(uninstall(await targetFor(agent, options), options.force), options);
    });
}

async function targetFor(agent: Installable, { project }: Options): Promise<Target> {
  const { targetOf } = await import('../../control/intercept/install/index.ts');
  const extension = import.meta.filename.endsWith('.ts') ? '.ts' : '.js';
  return targetOf(agent, {
    program: [process.execPath, realpathSync(process.argv[1]!)],
    modules: join(import.meta.dirname, '../../control/intercept/hooks'),
    extension,
    project: project === true ? process.cwd() : project,
  });
}

function report(result: { file: string; done: string }, { json }: Options): void {
  if (json) printJson(result);
  else process.stdout.write(`${result.done}: ${result.file}\n`);
}
