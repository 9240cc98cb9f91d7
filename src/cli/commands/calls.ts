import type { Command } from 'commander';
import type { CallStatus } from '../../model/index.ts';
import { oneLine, printJson, sizeCell, table, watching } from '../print.ts';

interface Options {
  runDir?: string;
  session?: string;
  running?: boolean;
  json?: boolean;
  watch?: boolean;
}

export function addCalls(program: Command): void {
  program
    .command('calls')
    .description('List tool calls: what ran, for how long, what it took, how it ended.')
    .option('--session <id>', 'only calls of this session')
    .option('--running', 'only calls that still run')
    .option('--json', 'print JSON')
    .option('--watch', 'print again every second')
    .option('--run-dir <dir>', 'folder of the daemon to ask')
    .addHelpText(
      'after',
      `
The column END shows the exit code or signal; "oom" means the kernel killed the call at its memory limit, "bg" that the
shell has ended and what it started lives on.

Examples:
  agentcgroup calls
  agentcgroup calls --running --watch
  agentcgroup calls --session demo --json | jq '.[] | select(.oomKilled)'`,
    )
    .action(async (options: Options) => {
      const { DaemonClient, daemonPaths } = await import('../../control/client/index.ts');
      const client = new DaemonClient(daemonPaths(options).apiSocket);
      await watching(options.watch, async () => {
        const calls = await client.calls({
          ...(options.session !== undefined && { session: options.session }),
          ...(options.running && { running: true }),
        });
        if (options.json) printJson(calls);
        else process.stdout.write(`${callTable(calls)}\n`);
      });
    });
}

function callTable(calls: CallStatus[]): string {
  const rows = calls.map((call) => [
    call.call,
    (call.durationMs === undefined ? (Date.now() - call.start) / 1000 : call.durationMs / 1000).toFixed(1),
    ending(call),
    sizeCell(call.peakBytes),
    sizeCell(call.limitBytes),
    (((call.cpuUserUsec ?? 0) + (call.cpuSystemUsec ?? 0)) / 1e6).toFixed(2),
    call.peakProcess?.comm ?? '-',
    oneLine(call.command ?? '(redacted)'),
  ]);
  return table(['CALL', 'SECONDS', 'END', 'PEAK', 'LIMIT', 'CPU s', 'LARGEST', 'COMMAND'], rows, [1, 3, 4, 5]);
}

function ending(call: CallStatus): string {
  if (call.state === 'running' || call.state === 'held') return call.state;
  const how = call.signal ?? `exit ${call.exitCode}`;
  if (call.state === 'background') return `bg, ${how}`;
  return call.oomKilled ? `oom, ${how}` : call.killedBy ? `${call.killedBy}, ${how}` : how;
}
