import { announce, feedback } from './calls.ts';

interface ToolEvent {
  toolName: string;
  toolCallId: string;
  input?: { command?: unknown };
  content?: { type: string; text?: string }[];
}
interface Pi {
  on(event: 'tool_call' | 'tool_result', handler: (event: ToolEvent) => Promise<unknown>): void;
}

/** An extension of pi: which id a command has, and what happened to it behind its output. */
export default function agentcgroup(pi: Pi): void {
  const commandOf = ({ toolName, input }: ToolEvent) =>
    toolName === 'bash' && typeof input?.command === 'string' ? input.command : undefined;
  pi.on('tool_call', async (event) => {
    const command = commandOf(event);
    if (command !== undefined) await announce(event.toolCallId, command);
  });
  pi.on('tool_result', async (event) => {
    const command = commandOf(event);
    if (command === undefined) return undefined;
    const content = event.content ?? [];
    const said = await feedback(event.toolCallId, command, content.map((part) => part.text ?? '').join('\n'));
    return said === undefined ? undefined : { content: [...content, { type: 'text', text: said }] };
  });
}
