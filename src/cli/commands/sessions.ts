import type { Command } from 'commander';
import type { SessionStatus } from '../../model/index.ts';
import { printJson, sizeCell, table, watching } from '../print.ts';

interface Options {
  runDir?: string;
  json?: boolean;
  watch?: boolean;
  end?: string;
}

export function addSessions(program: Command): void {
  program
    .command('sessions')
    .description('List agent sessions, or end one.')
    .option('--json', 'print JSON')
    .option('--watch', 'print again every second')
    .option('--end <id>', 'end this session: everything it started is killed')
    .option('--run-dir <dir>', 'folder of the daemon to ask')
    .addHelpText(
      'after',
      `
Examples:
  agentcgroup sessions
  agentcgroup sessions --watch
  agentcgroup sessions --end demo`,
    )
    .action(async (options: Options) => {
      const { tierWords } = await import('../../model/index.ts');
      const { DaemonClient, daemonPaths } = await import('../../control/client/index.ts');
      const client = new DaemonClient(daemonPaths(options).apiSocket);
      const show = async (sessions: SessionStatus[]) => {
        if (options.json) printJson(sessions);
        else process.stdout.write(`${sessionTable(sessions)}\n${tierWords(await client.health())}\n`);
      };
      if (options.end !== undefined) await show([await client.endSession(options.end)]);
      else await watching(options.watch, async () => show(await client.sessions()));
    });
}

function sessionTable(sessions: SessionStatus[]): string {
  const rows = sessions.map((s) => [
    s.session,
    s.tenant,
    s.priority,
    s.state,
    `${s.callsRunning}+${s.callsBackground}`,
    String(s.callsDone),
    String(s.callsKilled),
    sizeCell(s.agentMemoryBytes),
    sizeCell(s.memoryBytes),
    sizeCell(s.memoryLimitBytes),
  ]);
  const head = ['SESSION', 'TENANT', 'PRIORITY', 'STATE', 'RUNNING+BG', 'DONE', 'KILLED', 'AGENT', 'MEMORY', 'LIMIT'];
  return table(head, rows, [4, 5, 6, 7, 8, 9]);
}
