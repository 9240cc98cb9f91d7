import type { Command } from 'commander';

interface Options {
  out?: string;
  from: string;
  json?: boolean;
}

export function addDataset(program: Command): void {
  const dataset = program.command('dataset').description('The public data set of recorded agent sessions.');
  dataset
    .command('fetch')
    .description(
      "Get the AgentCgroup authors' recorded sessions (GPL-2.0, about 1 GB), for scenarios that replay them.",
    )
    .option('--out <dir>', 'where to (default: the cache, where `evaluate` looks)')
    .option('--from <url>', 'a git repository that has it', 'https://github.com/eunomia-bpf/agentcgroup')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      `
What is there already is brought up to date. Without a network, copy the folder from another machine and name it:
agentcgroup evaluate paper-tight --dataset DIR.

Example:
  agentcgroup dataset fetch`,
    )
    .action(async (options: Options) => {
      const { datasetFolder, fetchDataset } = await import('../../study/evaluate/index.ts');
      const say = (text: string) => void process.stderr.write(`${text}\n`);
      const out = options.out ?? datasetFolder();
      const sets = await fetchDataset(options.from, out, say);
      if (options.json) process.stdout.write(`${JSON.stringify({ out, sets })}\n`);
      else process.stdout.write(`${out}: ${sets.join(', ')}\n`);
    });
}
