import type { Tool, ToolCall, ToolResult, Turn } from './wire.ts';

/** What the model wants done: in each turn one command, or several at once. */
export type Script = readonly (string | readonly string[])[];

const SHELL_TOOLS = ['Bash', 'bash', 'exec_command'];
const ID = /step_(\d+)_(\d+)/;

/**
 * The next turn of a script, told by nothing but the request, as a real model is: the results that it shows say how far
 * the agent has come. A request without a shell tool (the agent wants a title, checks its quota) gets a plain word.
 */
export function nextTurn(script: Script, tools: Tool[], results: ToolResult[]): Turn {
  const shell = tools.find((tool) => SHELL_TOOLS.includes(tool.name));
  if (!shell) return { say: 'ok' };
  const still = stillRunning(results.at(-1));
  if (still !== undefined && tools.some((tool) => tool.name === 'write_stdin')) {
    const input = { session_id: still, chars: '', yield_time_ms: 10_000 };
    return { calls: [{ id: `poll_${results.length}`, name: 'write_stdin', input }] };
  }
  const done = results.map(({ id }) => Number(ID.exec(id)?.[1] ?? -1));
  const step = script[Math.max(-1, ...done) + 1];
  if (step === undefined) return { say: 'Everything is done.' };
  const commands = typeof step === 'string' ? [step] : step;
  return { calls: commands.map((command, i) => shellCall(shell, `step_${Math.max(-1, ...done) + 1}_${i}`, command)) };
}

/** Codex answers for a command that takes longer with the number of a session to be asked again. */
function stillRunning(result: ToolResult | undefined): number | undefined {
  const session = /running with session ID (\d+)/.exec(result?.text ?? '')?.[1];
  return session === undefined ? undefined : Number(session);
}

function shellCall({ name, parameters }: Tool, id: string, command: string): ToolCall {
  const input: Record<string, unknown> = { [parameters.includes('cmd') ? 'cmd' : 'command']: command };
  if (parameters.includes('description')) input.description = 'A scripted step';
  if (parameters.includes('yield_time_ms')) input.yield_time_ms = 10_000;
  return { id, name, input };
}

/** What the agent let the model see of each step, in the order of the script; polls are joined to their step. */
export function shown(results: ToolResult[]): string[] {
  const steps: string[] = [];
  for (const { id, text } of results) {
    if (ID.test(id)) steps.push(text);
    else steps.push(`${steps.pop() ?? ''}\n${text}`);
  }
  return steps;
}
