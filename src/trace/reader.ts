import { TRACE_VERSION, TraceRecord } from '../model/index.ts';
import { isObject } from './import/salvage.ts';
import { linesOf } from './lines.ts';

/** A line that is not a sound record, and why. */
export interface BadLine {
  line: number;
  why: string;
}

/** A sound record with its line number. */
export interface GoodLine {
  line: number;
  record: TraceRecord;
}

/** One line as a record, or the reason why it is none. Blank lines are neither. */
export function parseLine(text: string): TraceRecord | { why: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { why: `not valid JSON: ${(error as Error).message}` };
  }
  if (!isObject(value)) return { why: 'not an object' };
  const known = TraceRecord.safeParse(value);
  if (known.success) return known.data;
  if (typeof value.version === 'number' && value.version > TRACE_VERSION)
    return { why: `written by a newer release: trace version ${value.version}, this one reads ${TRACE_VERSION}` };
  if (typeof value.type !== 'string') return { why: 'no record type' };
  if (!TYPES.has(value.type)) return { why: `unknown record type ${JSON.stringify(value.type.slice(0, 40))}` };
  const issues = known.error.issues.slice(0, 3).map((i) => `${i.path.join('.') || 'record'}: ${i.message}`);
  return { why: issues.join('; ') };
}

const TYPES = new Set<string>(TraceRecord.options.map((o) => o.shape.type.value));

/**
 * The records of an NDJSON trace, in the order of the file; lines that are not sound go to `bad` and reading goes on. A
 * last line that a crash has cut off is such a line. Memory is bounded by the longest line. `wanted` tells by its text whether a line is
 * worth being parsed, which takes nearly all of the time.
 */
export async function* readTrace(
  path: string,
  bad: (line: BadLine) => void,
  wanted: (text: string) => boolean = (text) => text.trim() !== '',
): AsyncGenerator<GoodLine> {
  for await (const batch of linesOf(path))
    for (const { number, text } of batch) {
      if (text === undefined) bad({ line: number, why: 'too long for a record' });
      else if (wanted(text)) {
        const parsed = parseLine(text);
        if ('why' in parsed) bad({ line: number, why: parsed.why });
        else yield { line: number, record: parsed };
      }
    }
}
