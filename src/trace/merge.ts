import { isObject } from './import/salvage.ts';
import { linesOf } from './lines.ts';
import type { BadLine } from './reader.ts';

interface Head {
  text: string;
  /** When the line was written, milliseconds: never less than that of the line before it in the same file. */
  t: number;
}

/**
 * Several NDJSON traces as one, in the order in which the lines were written: each file keeps its own order, and between
 * files the earlier line comes first (of two at the same time, that of the earlier file). Lines pass through as they are,
 * records of newer releases included; lines that are no JSON object go to `bad`. Holds one batch of lines per file.
 */
export async function* mergeTraces(
  paths: string[],
  bad: (path: string, line: BadLine) => void,
): AsyncGenerator<string> {
  const files = paths.map((path) => heads(path, (line) => bad(path, line)));
  const current = await Promise.all(files.map(async (f) => (await f.next()).value as Head | undefined));
  for (;;) {
    let first = -1;
    for (let i = 0; i < current.length; i++)
      if (current[i] && (first < 0 || current[i]!.t < current[first]!.t)) first = i;
    if (first < 0) return;
    yield current[first]!.text;
    current[first] = (await files[first]!.next()).value as Head | undefined;
  }
}

async function* heads(path: string, bad: (line: BadLine) => void): AsyncGenerator<Head> {
  let last = 0;
  for await (const batch of linesOf(path))
    for (const { number, text } of batch) {
      if (text?.trim() === '') continue;
      let value: unknown;
      try {
        value = text === undefined ? undefined : JSON.parse(text);
      } catch {
        value = undefined;
      }
      if (text === undefined || !isObject(value)) {
        bad({ line: number, why: text === undefined ? 'too long for a record' : 'not a JSON object' });
        continue;
      }
      // a call is written when it ends, a session when it begins and again when it ends
      const t = [value.t, value.end, value.start].find((x) => typeof x === 'number');
      last = Math.max(last, (t as number | undefined) ?? last);
      yield { text, t: last };
    }
}
