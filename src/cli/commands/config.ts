import type { Command } from 'commander';
import { configJsonSchema, writtenConfig } from '../../model/index.ts';
import { printJson } from '../print.ts';

interface Options {
  file?: string;
  json?: boolean;
}

export function addConfig(program: Command): void {
  const config = program.command('config').description('Check or show the configuration.');
  const load = async (options: Options) => (await import('../../control/daemon/index.ts')).loadConfig(options.file);

  config
    .command('check')
    .description('Read the configuration as the daemon would, and say what is wrong with it.')
    .option('-f, --file <file>', 'instead of /etc/agentcgroup/agentcgroup.yaml; agentcgroup.d beside it is read too')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Exit status 0: valid; 78: not valid, each wrong key is named.

Examples:
  agentcgroup config check
  agentcgroup config check -f ./agentcgroup.yaml`,
    )
    .action(async (options: Options) => {
      const { files } = await load(options);
      if (options.json) printJson({ valid: true, files });
      else process.stdout.write(files.length > 0 ? `valid: ${files.join(', ')}\n` : 'valid: no file, all defaults\n');
    });

  config
    .command('show')
    .description('Print the configuration in effect: all files merged, defaults filled in.')
    .option('-f, --file <file>', 'instead of /etc/agentcgroup/agentcgroup.yaml')
    .option('--json', 'print JSON, sizes in bytes and durations in milliseconds')
    .addHelpText(
      'after',
      `
Examples:
  agentcgroup config show
  agentcgroup config show --json | jq .ladder`,
    )
    .action(async (options: Options) => {
      const loaded = await load(options);
      if (options.json) {
        printJson(loaded.config);
        return;
      }
      const { stringify } = await import('yaml');
      process.stdout.write(stringify(writtenConfig(loaded.written)));
    });

  config
    .command('reload')
    .description('Have the running daemon read its configuration again; what runs goes on, under the new one.')
    .option('--run-dir <dir>', "the daemon's folder")
    .option('--json', 'print the configuration it has now')
    .addHelpText(
      'after',
      `
The limit of the tree's root (node.memory) stays as it was when the daemon started. SIGHUP does the same.

Example:
  agentcgroup config check && agentcgroup config reload`,
    )
    .action(async (options: { runDir?: string; json?: boolean }) => {
      const { DaemonClient, daemonPaths } = await import('../../control/client/index.ts');
      const now = await new DaemonClient(daemonPaths(options).apiSocket).reloadConfig();
      if (options.json) printJson(now);
      else process.stdout.write('the configuration was read again\n');
    });

  config
    .command('schema')
    .description('Print the JSON Schema of agentcgroup.yaml (docs/config.schema.json).')
    .addHelpText(
      'after',
      `
Example:
  agentcgroup config schema > config.schema.json`,
    )
    .action(() => {
      process.stdout.write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
    });
}
