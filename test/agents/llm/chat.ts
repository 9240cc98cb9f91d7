import { type Json, list, type Turn, textOf, toolOf, type Wire } from './wire.ts';

const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };

const toolCalls = (turn: Turn) =>
  'say' in turn
    ? []
    : turn.calls.map(({ id, name, input }, index) => ({
        index,
        id,
        type: 'function',
        function: { name, arguments: JSON.stringify(input) },
      }));
const answer = (turn: Turn): Json =>
  'say' in turn
    ? { role: 'assistant', content: turn.say }
    : { role: 'assistant', content: null, tool_calls: toolCalls(turn) };
const reason = (turn: Turn) => ('say' in turn ? 'stop' : 'tool_calls');
const head = (number: number, request: Json) => ({ id: `chatcmpl-${number}`, created: 0, model: request.model });

/** OpenAI's Chat Completions API. */
export const chat: Wire = {
  path: /\/chat\/completions/,
  tools: (request) =>
    list(request.tools).map((tool) => {
      const { name, parameters } = (tool.function ?? {}) as Json;
      return toolOf(name, parameters);
    }),
  results: (request) =>
    list(request.messages)
      .filter((m) => m.role === 'tool')
      .map((m) => ({ id: String(m.tool_call_id), text: textOf(m.content) })),
  whole: (turn, number, request) => ({
    ...head(number, request),
    object: 'chat.completion',
    choices: [{ index: 0, message: answer(turn), finish_reason: reason(turn) }],
    usage,
  }),
  stream(turn, number, request) {
    const chunk = (choices: Json[], more: Json = {}) =>
      `data: ${JSON.stringify({ ...head(number, request), object: 'chat.completion.chunk', choices, ...more })}\n\n`;
    return [
      chunk([{ index: 0, delta: answer(turn), finish_reason: null }]),
      chunk([{ index: 0, delta: {}, finish_reason: reason(turn) }]),
      chunk([], { usage }),
      'data: [DONE]\n\n',
    ];
  },
};
