import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { AcgError, type CallRecord, Name } from '../../model/index.ts';
import { printJson } from '../print.ts';

interface Options {
  runDir?: string;
  traceDir?: string;
  json?: boolean;
}

export function addExplain(program: Command): void {
  program
    .command('explain')
    .description('Tell, in order, everything that was decided about a call and why.')
    .argument('<call>', 'its id, as `agentcgroup calls` shows it')
    .option('--json', 'print JSON')
    .option('--run-dir <dir>', 'folder of the daemon to ask')
    .option('--trace-dir <dir>', 'where to look for calls of sessions that are over')
    .addHelpText(
      'after',
      `
Examples:
  agentcgroup explain fix-42.7
  agentcgroup explain fix-42.7 --json | jq .explanations`,
    )
    .action(async (id: string, options: Options) => {
      const { DaemonClient, daemonPaths } = await import('../../control/client/index.ts');
      const paths = daemonPaths(options);
      const call = (await asked(new DaemonClient(paths.apiSocket), id)) ?? (await recorded(paths.traceDir, id));
      if (!call) throw new AcgError('ACG_NO_CALL', `${id}, neither running nor in the traces in ${paths.traceDir}`);
      if (options.json) printJson(call);
      else {
        const { explainCall } = await import('../../control/policy/index.ts');
        process.stdout.write(`${explainCall(call).join('\n')}\n`);
      }
    });
}

async function asked(client: { call(id: string): Promise<CallRecord> }, id: string): Promise<CallRecord | undefined> {
  try {
    return await client.call(id);
  } catch (error) {
    if (error instanceof AcgError && ['ACG_NO_CALL', 'ACG_NO_DAEMON'].includes(error.code)) return undefined;
    throw error;
  }
}

/** From the traces of the call's session, newest first. */
async function recorded(directory: string, id: string): Promise<CallRecord | undefined> {
  const session = id.slice(0, id.lastIndexOf('.'));
  if (!Name.safeParse(session).success || !existsSync(directory)) return undefined;
  const { readTrace } = await import('../../trace/index.ts');
  const files = readdirSync(directory).filter((file) => file.startsWith(`${session}-`) && file.endsWith('.ndjson'));
  for (const file of files.sort().reverse()) {
    let found: CallRecord | undefined;
    for await (const { record } of readTrace(join(directory, file), () => {}))
      if (record.type === 'call' && record.call === id) found = record;
    if (found) return found;
  }
  return undefined;
}
