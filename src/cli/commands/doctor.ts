import type { Command } from 'commander';
import type { Capability } from '../../model/index.ts';
import { printJson, table } from '../print.ts';

const mark = { yes: 'yes', no: 'no', unknown: '?' } as const;

/** A row, and a second one for its remedy. */
const lines = (row: Capability): string[][] => [
  [row.name, mark[row.state], row.detail ?? ''],
  ...(row.remedy ? [['', '', `-> ${row.remedy}`]] : []),
];

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('Say what this machine can do for agentcgroup, row by row, with the remedy for each "no".')
    .option('--cgroup-root <dir>', 'look at this cgroup2 directory instead of the one agentcgroup would choose')
    .option('--run-dir <dir>', 'folder of the sockets of the daemon to look for (default: /run/agentcgroup)')
    .option('--json', 'print the report as one JSON document')
    .addHelpText(
      'after',
      `
Everything is found out by doing it: a cgroup is made, a process is born in it, a trigger is armed.
Nothing is left behind. "?" means that it could not be tried.

Exit status: 0 when agentcgroup can work here, 69 when it cannot.

Examples:
  agentcgroup doctor
  agentcgroup doctor --json | jq -r .tier
  agentcgroup doctor --cgroup-root /sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service`,
    )
    .action(async (options: { cgroupRoot?: string; runDir?: string; json?: boolean }) => {
      const [{ examine }, { daemonPaths }] = await Promise.all([
        import('../../control/doctor/index.ts'),
        import('../../control/client/index.ts'),
      ]);
      const report = await examine({
        root: options.cgroupRoot === undefined ? {} : { cgroupRoot: options.cgroupRoot },
        daemonSocket: daemonPaths(options).apiSocket,
      });
      if (options.json) printJson(report);
      else {
        for (const { title, rows } of report.groups)
          process.stdout.write(`${table([title, '', 'what was found -> what to do'], rows.flatMap(lines))}\n\n`);
        process.stdout.write(`Linux ${report.kernel}. ${report.summary}\n`);
      }
      process.exitCode = report.able ? 0 : 69;
    });
}
