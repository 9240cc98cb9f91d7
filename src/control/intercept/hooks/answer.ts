import { announce, feedback } from './calls.ts';

/** Agents whose hooks are commands that get JSON on standard input. */
export const commandHooks = ['claude-code', 'codex', 'gemini'] as const;

/** What a hook is told, as far as it is understood. Agents are not trusted to keep to it. */
interface HookInput {
  event: string;
  command: string;
  id: string | undefined;
  response: unknown;
}

const before = new Set(['PreToolUse', 'BeforeTool']);
const after = new Set(['PostToolUse', 'PostToolUseFailure', 'AfterTool']);

/** A hook's input taken apart; undefined when it is not about a shell command. Total over all strings. */
export function readHookInput(text: string): HookInput | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const {
    hook_event_name: event,
    tool_input: input,
    tool_use_id: id,
    ...rest
  } = Object(value) as Record<string, unknown>;
  const { command: asked, cmd } = Object(input) as Record<string, unknown>;
  const command = asked ?? cmd;
  if (typeof event !== 'string' || typeof command !== 'string') return undefined;
  const response = rest.tool_response ?? rest.error;
  return { event, command, id: typeof id === 'string' ? id : undefined, response };
}

/**
 * What a hook says on standard output, possibly nothing: before a command its id is announced, and nothing about the command
 * is changed (the agent's own permission rules see what the model wrote); after it the model gets our feedback.
 */
export async function answerHook(text: string): Promise<string> {
  const input = readHookInput(text);
  if (!input) return '';
  const { event, command, id, response } = input;
  if (before.has(event)) await announce(id, command);
  if (!after.has(event)) return '';
  const additionalContext = await feedback(id, command, textOf(response));
  return additionalContext === undefined
    ? ''
    : JSON.stringify({ hookSpecificOutput: { hookEventName: event, additionalContext } });
}

/** All the text in an agent's tool result, whatever its shape. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'object' && value !== null ? Object.values(value).map(textOf).join('\n') : '';
}
