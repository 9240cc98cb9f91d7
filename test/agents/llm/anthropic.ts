import { type Json, list, type Turn, textOf, toolOf, type Wire } from './wire.ts';

const usage = { input_tokens: 10, output_tokens: 5 };

const blocks = (turn: Turn): Json[] =>
  'say' in turn ? [{ type: 'text', text: turn.say }] : turn.calls.map((call) => ({ type: 'tool_use', ...call }));
const reason = (turn: Turn) => ('say' in turn ? 'end_turn' : 'tool_use');
const message = (number: number, request: Json) => ({
  id: `msg_${number}`,
  type: 'message',
  role: 'assistant',
  model: request.model,
  stop_sequence: null,
  usage,
});

/** Anthropic's Messages API. */
export const anthropic: Wire = {
  path: /\/v1\/messages(\?|$)/,
  tools: (request) => list(request.tools).map((tool) => toolOf(tool.name, tool.input_schema)),
  results: (request) =>
    list(request.messages)
      .flatMap((m) => list(m.content))
      .filter((part) => part.type === 'tool_result')
      .map((part) => ({ id: String(part.tool_use_id), text: textOf(part.content) })),
  whole: (turn, number, request) => ({
    ...message(number, request),
    content: blocks(turn),
    stop_reason: reason(turn),
  }),
  stream(turn, number, request) {
    const events: Json[] = [
      { type: 'message_start', message: { ...message(number, request), content: [], stop_reason: null } },
    ];
    for (const [index, block] of blocks(turn).entries()) {
      const tool = block.type === 'tool_use';
      const start = tool ? { ...block, input: {} } : { ...block, text: '' };
      const delta = tool
        ? { type: 'input_json_delta', partial_json: JSON.stringify(block.input) }
        : { type: 'text_delta', text: block.text };
      events.push(
        { type: 'content_block_start', index, content_block: start },
        { type: 'content_block_delta', index, delta },
        { type: 'content_block_stop', index },
      );
    }
    events.push(
      { type: 'message_delta', delta: { stop_reason: reason(turn), stop_sequence: null }, usage },
      { type: 'message_stop' },
    );
    return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  },
};
