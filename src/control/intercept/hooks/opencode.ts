import { announce, feedback } from './calls.ts';

interface Before {
  args?: { command?: unknown };
}
interface After {
  output?: unknown;
}
interface About {
  tool: string;
  callID?: string;
  args?: { command?: unknown };
}

/** A plugin of opencode: which id a command has, and what happened to it behind its output. */
export async function AgentCgroup() {
  const commands = new Map<string, string>();
  return {
    'tool.execute.before': async ({ tool, callID }: About, { args }: Before) => {
      if (tool !== 'bash' || callID === undefined || typeof args?.command !== 'string') return;
      commands.set(callID, args.command);
      await announce(callID, args.command);
    },
    'tool.execute.after': async ({ tool, callID, args }: About, result: After) => {
      if (tool !== 'bash' || callID === undefined || typeof result.output !== 'string') return;
      const command = commands.get(callID) ?? (typeof args?.command === 'string' ? args.command : '');
      commands.delete(callID);
      const said = await feedback(callID, command, result.output);
      if (said !== undefined) result.output += `\n${said}`;
    },
  };
}
