/** What the scripted model and a wire format have to say to each other: the formats differ, this does not. */

export interface Tool {
  name: string;
  /** Names of its parameters. */
  parameters: string[];
}

/** A tool result as the agent sent it to the model. */
export interface ToolResult {
  id: string;
  text: string;
}

export interface ToolCall {
  id: string;
  name: string;
  input: Record<string, unknown>;
}

/** What the model says in one turn: tool calls, or its last word. */
export type Turn = { calls: ToolCall[] } | { say: string };

export type Json = Record<string, unknown>;

/** One way of speaking with a model over HTTP. */
export interface Wire {
  path: RegExp;
  tools(request: Json): Tool[];
  results(request: Json): ToolResult[];
  /** The answer in one piece. */
  whole(turn: Turn, number: number, request: Json): Json;
  /** The same as server-sent events, each with its final newline pair. */
  stream(turn: Turn, number: number, request: Json): string[];
}

export const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);

/** Text of a message's content: a string, or parts of which those with text count. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  return list(content)
    .map((part) => (typeof part.text === 'string' ? part.text : ''))
    .join('\n');
}

export function toolOf(name: unknown, schema: unknown): Tool {
  const properties = (schema as { properties?: object } | undefined)?.properties ?? {};
  return { name: String(name), parameters: Object.keys(properties) };
}
