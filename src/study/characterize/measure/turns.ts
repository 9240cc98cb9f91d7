import { type EventRecord, LlmOutput } from '../../../model/index.ts';

export interface Turns {
  /** The model with most entries in the main thread, and in the sub-agents. */
  model: string | undefined;
  subModel: string | undefined;
  /** Entries with output of the model (one per content block), and distinct messages. */
  records: number;
  messages: number;
  /** Output tokens added over all entries (each block repeats its message's usage), and the highest once per message. */
  recordTokens: number | null;
  messageTokens: number | null;
}

/** What the agent's own log says about its model. */
export function modelTurns(events: readonly EventRecord[]): Turns {
  const main = new Map<string, number>();
  const side = new Map<string, number>();
  const tokens = new Map<string, number>();
  let records = 0;
  let unnamed = 0;
  let recordTokens: number | null = null;
  for (const event of events) {
    if (event.kind !== 'llm-output') continue;
    const parsed = LlmOutput.safeParse(event.data ?? {});
    if (!parsed.success) continue;
    const { message, model, outputTokens, subAgent } = parsed.data;
    records++;
    if (model) {
      const models = subAgent ? side : main;
      models.set(model, (models.get(model) ?? 0) + 1);
    }
    const key = message ?? `#${unnamed++}`;
    tokens.set(key, Math.max(tokens.get(key) ?? 0, outputTokens ?? 0));
    if (outputTokens !== undefined) recordTokens = (recordTokens ?? 0) + outputTokens;
  }
  const most = (models: Map<string, number>) => [...models].sort((a, b) => b[1] - a[1])[0]?.[0];
  return {
    model: most(main),
    subModel: most(side),
    records,
    messages: tokens.size,
    recordTokens,
    messageTokens: recordTokens === null ? null : [...tokens.values()].reduce((a, b) => a + b, 0),
  };
}
