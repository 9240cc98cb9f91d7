import { type Json, list, type Turn, textOf, toolOf, type Wire } from './wire.ts';

const usage = {
  input_tokens: 10,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 5,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 15,
};

const items = (turn: Turn, number: number): Json[] =>
  'say' in turn
    ? [
        {
          type: 'message',
          id: `msg_${number}`,
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: turn.say, annotations: [] }],
        },
      ]
    : turn.calls.map(({ id, name, input }, i) => ({
        type: 'function_call',
        id: `fc_${number}_${i}`,
        call_id: id,
        name,
        arguments: JSON.stringify(input),
        status: 'completed',
      }));

/** OpenAI's Responses API. */
export const responses: Wire = {
  path: /\/responses(\?|$)/,
  tools: (request) => list(request.tools).map((tool) => toolOf(tool.name ?? tool.type, tool.parameters)),
  results: (request) =>
    list(request.input)
      .filter((item) => item.type === 'function_call_output')
      .map((item) => ({ id: String(item.call_id), text: textOf(item.output) })),
  whole: (turn, number, request) => ({
    id: `resp_${number}`,
    object: 'response',
    created_at: 0,
    model: request.model,
    status: 'completed',
    output: items(turn, number),
    usage,
  }),
  stream(turn, number, request) {
    const response = responses.whole(turn, number, request);
    const events: Json[] = [
      { type: 'response.created', response: { ...response, status: 'in_progress', output: [], usage: null } },
    ];
    for (const [output_index, item] of items(turn, number).entries()) {
      const empty = item.type === 'message' ? { ...item, content: [] } : { ...item, arguments: '' };
      events.push({ type: 'response.output_item.added', output_index, item: empty });
      events.push(
        'say' in turn
          ? { type: 'response.output_text.delta', item_id: item.id, output_index, content_index: 0, delta: turn.say }
          : {
              type: 'response.function_call_arguments.done',
              item_id: item.id,
              output_index,
              arguments: item.arguments,
            },
        { type: 'response.output_item.done', output_index, item },
      );
    }
    events.push({ type: 'response.completed', response });
    return events.map(
      (event, i) => `event: ${event.type}\ndata: ${JSON.stringify({ sequence_number: i, ...event })}\n\n`,
    );
  },
};
