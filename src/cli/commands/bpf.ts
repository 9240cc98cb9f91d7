import { type Command, Option } from 'commander';
import type { BpfStatus } from '../../control/kernel/index.ts';
import { printJson, table } from '../print.ts';

interface Flags {
  pinRoot: string;
  json?: boolean;
}

export function addBpf(program: Command): void {
  const bpf = program
    .command('bpf')
    .description('The BPF programs in the kernel: show what is loaded, load them to stay, take them out.')
    .enablePositionalOptions();
  const place = '/sys/fs/bpf/agentcgroup';

  bpf
    .command('status')
    .description('What of ours is loaded and pinned: programs, maps, links, events lost.')
    .option('--pin-root <directory>', 'where it is pinned', place)
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Runs and their time are counted while the kernel keeps statistics: sysctl kernel.bpf_stats_enabled=1

Examples:
  agentcgroup bpf status
  agentcgroup bpf status --json | jq '.loaded[].programs[] | {name, runs, runNs}'`,
    )
    .action(async ({ pinRoot, json }: Flags) => {
      const { bpfStatus } = await import('../../control/kernel/index.ts');
      const status = bpfStatus(pinRoot);
      if (json) printJson(status);
      else process.stdout.write(`${describe(status)}\n`);
    });

  bpf
    .command('load')
    .description('Put the monitor and the scheduler into the kernel to stay: daemons find them there and start faster.')
    .addOption(
      new Option('--scheduler <mode>', 'whose tasks it runs; as the daemon is told')
        .choices(['partial', 'full'])
        .default('partial'),
    )
    .option('--pin-root <directory>', 'where they are pinned', place)
    .option('--json', 'print which hooks are on as one JSON document')
    .addHelpText(
      'after',
      `
A daemon that loads them itself takes them out when it leaves and no session is left; these stay until \`bpf unload\`.

Examples:
  agentcgroup bpf load
  agentcgroup bpf load --scheduler full`,
    )
    .action(async ({ pinRoot, json, scheduler: mode }: Flags & { scheduler: 'partial' | 'full' }) => {
      const { keepPinned, Monitor, Scheduler } = await import('../../control/kernel/index.ts');
      using monitor = new Monitor({ pinRoot });
      using scheduler = new Scheduler(mode, { pinRoot });
      keepPinned(pinRoot);
      const programs = [monitor.program, scheduler.program];
      if (json) printJson(programs.map(({ name, reopened, hooks }) => ({ name, reopened, hooks })));
      else
        for (const { name, reopened, hooks } of programs) {
          const on = hooks.filter((hook) => hook.on).length;
          process.stdout.write(
            `${name}: ${reopened ? 'was there already' : 'loaded'}, ${on} of ${hooks.length} hooks\n`,
          );
        }
    });

  bpf
    .command('unload')
    .description('Take all of it out of the kernel; a daemon that runs goes on with cgroup files.')
    .option('--pin-root <directory>', 'where it is pinned', place)
    .option('--json', 'print what was removed as one JSON document')
    .addHelpText(
      'after',
      `
Links first, so nothing runs while its maps go. A daemon that runs lets go within a second and expresses what is in force by cgroup
files; it loads the programs again when it reads its configuration again (SIGHUP) or starts anew.

Exit status: 0 when nothing of ours is left, 75 when a process still holds some.

Examples:
  agentcgroup bpf unload`,
    )
    .action(async ({ pinRoot, json }: Flags) => {
      const { unloadAll } = await import('../../control/kernel/index.ts');
      const result = await unloadAll(pinRoot);
      const programs = result.removed.loaded.flatMap((l) => l.programs).length;
      if (json) printJson(result);
      else if (result.removed.loaded.length === 0 && result.removed.shared.length === 0)
        process.stdout.write(`nothing is pinned in ${pinRoot}\n`);
      else {
        const names = result.removed.loaded.map((l) => l.name).join(', ');
        process.stdout.write(`removed ${names || 'shared maps'} (${programs} programs) from ${pinRoot}\n`);
      }
      if (result.held > 0) {
        process.stderr.write(`${result.held} programs are held by a running process: stop the daemon\n`);
        process.exitCode = 75;
      }
    });
}

function inCharge(scheduler: BpfStatus['scheduler']): string[] {
  if (!scheduler) return [];
  const { mode, exit } = scheduler;
  const out =
    exit && `is out since ${new Date(exit.t).toISOString()}: ${exit.reason}${exit.message && ` (${exit.message})`}`;
  return [
    `scheduler (${mode}) ${out ?? 'is in charge'}; tier ${out ? 'cgroup' : 'sched-ext'} for a daemon that uses it`,
  ];
}

function describe({ pinRoot, runStatistics, loaded, shared, lost, scheduler }: BpfStatus): string {
  if (loaded.length === 0 && shared.length === 0) return `nothing is pinned in ${pinRoot}`;
  const parts = loaded.map(({ name, version, programs, maps, links }) => {
    const rows = programs.map((p) => [
      p.name,
      p.attached ? 'attached' : 'loaded',
      String(p.id),
      runStatistics ? String(p.runs) : '-',
      runStatistics && p.runs > 0 ? `${Math.round(p.runNs / p.runs)} ns` : '-',
      String(p.misses),
    ]);
    const head = [`${name} (${version})`, '', 'id', 'runs', 'mean', 'missed'];
    return `${table(head, rows, [2, 3, 4, 5])}\n${links.length} links, maps: ${maps.map((m) => m.name).join(' ')}`;
  });
  const maps = shared.map((m) => [m.name, m.type, String(m.maxEntries), `${m.keyBytes} -> ${m.valueBytes} B`]);
  const losses = Object.entries(lost).map(([type, count]) => `${count} ${type}`);
  return [
    ...inCharge(scheduler),
    ...parts,
    table(['shared maps', 'type', 'entries', 'element'], maps, [2]),
    losses.length > 0 ? `events lost, the ring was full: ${losses.join(', ')}` : 'no event was lost',
  ].join('\n\n');
}
