import type { Command } from 'commander';
import type { BpfStatus } from '../../control/kernel/index.ts';
import { printJson, table } from '../print.ts';

interface Flags {
  pinRoot: string;
  json?: boolean;
}

export function addBpf(program: Command): void {
  const bpf = program
    .command('bpf')
    .description('the BPF programs in the kernel: show what is loaded, take it out')
    .enablePositionalOptions();
  const place = '/sys/fs/bpf/agentcgroup';

  bpf
    .command('status')
    .description('what of ours is loaded and pinned: programs, maps, links, events lost')
    .option('--pin-root <directory>', 'where it is pinned', place)
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Runs and their time are counted while the kernel keeps statistics: sysctl kernel.bpf_stats_enabled=1

Examples:
  $ agentcgroup bpf status
  $ agentcgroup bpf status --json | jq '.loaded[].programs[] | {name, runs, runNs}'`,
    )
    .action(async ({ pinRoot, json }: Flags) => {
      const { bpfStatus } = await import('../../control/kernel/index.ts');
      const status = bpfStatus(pinRoot);
      if (json) printJson(status);
      else process.stdout.write(`${describe(status)}\n`);
    });

  bpf
    .command('unload')
    .description('take all of it out of the kernel; a daemon that runs loads it again at its next start')
    .option('--pin-root <directory>', 'where it is pinned', place)
    .option('--json', 'print what was removed as one JSON document')
    .addHelpText(
      'after',
      `
Links first, so nothing runs while its maps go. Programs that a running daemon holds stay until it ends.

Exit status: 0 when nothing of ours is left, 75 when a process still holds some.

Examples:
  $ agentcgroup bpf unload`,
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

function describe({ pinRoot, runStatistics, loaded, shared, lost }: BpfStatus): string {
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
    ...parts,
    table(['shared maps', 'type', 'entries', 'element'], maps, [2]),
    losses.length > 0 ? `events lost, the ring was full: ${losses.join(', ')}` : 'no event was lost',
  ].join('\n\n');
}
