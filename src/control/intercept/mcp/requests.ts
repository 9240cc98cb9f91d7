/** What of an MCP conversation makes a tool call: its request and the answer to it. */
export type McpEvent =
  | { kind: 'call'; id: string; tool: string }
  | { kind: 'answer'; id: string; isError: boolean }
  | { kind: 'cancel'; id: string };

/** Text of a JSON-RPC id: 1 and "1" are not the same. */
const idOf = (id: unknown) => (typeof id === 'string' || typeof id === 'number' ? JSON.stringify(id) : undefined);
const object = (value: unknown) => Object(value) as Record<string, unknown>;

/**
 * Reads one line of either side; what is no message of interest, or no JSON at all, gives nothing. A line may be a batch.
 * `from` says whose line it is: only a client calls tools, only a server answers.
 */
export function readMessages(line: string, from: 'client' | 'server'): McpEvent[] {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return [];
  }
  return (Array.isArray(value) ? value : [value]).flatMap((message): McpEvent[] => {
    const { id: given, method, params, result, error } = object(message);
    const id = idOf(given);
    if (from === 'server')
      return id === undefined || method !== undefined
        ? []
        : [{ kind: 'answer', id, isError: error !== undefined || object(result).isError === true }];
    if (method === 'notifications/cancelled') {
      const cancelled = idOf(object(params).requestId);
      return cancelled === undefined ? [] : [{ kind: 'cancel', id: cancelled }];
    }
    const { name } = object(params);
    if (id === undefined || method !== 'tools/call' || typeof name !== 'string') return [];
    return [{ kind: 'call', id, tool: name }];
  });
}
