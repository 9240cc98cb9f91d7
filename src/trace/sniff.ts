import { isObject } from './import/salvage.ts';
import { linesOf } from './lines.ts';

export type Format = 'ndjson' | 'claude-code' | 'codex';

/** Lines looked at before a file is given up as unknown. */
const LOOK = 50;

/** The form of a line file, by the shape of its first readable lines; undefined when no line has a known shape. */
export async function formatOf(path: string): Promise<Format | undefined> {
  let seen = 0;
  for await (const batch of linesOf(path))
    for (const { text } of batch) {
      if (!text?.trim()) continue;
      const format = shapeOf(text);
      if (format) return format;
      if (++seen >= LOOK) return undefined;
    }
  return undefined;
}

function shapeOf(text: string): Format | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value) || typeof value.type !== 'string') return undefined;
  if (isObject(value.payload) && typeof value.timestamp === 'string') return 'codex';
  if (/^(?:session|sample|call|event)$/.test(value.type) && !('message' in value)) return 'ndjson';
  if (typeof value.sessionId === 'string' || typeof value.leafUuid === 'string' || isObject(value.message))
    return 'claude-code';
  return undefined;
}
