import { createReadStream } from 'node:fs';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { AcgError } from '../model/index.ts';

/** One line of a file. `bytes` is its length with the line end; `text` is absent for a line that is too long. */
export interface Line {
  number: number;
  offset: number;
  bytes: number;
  text?: string;
}

/** A line longer than this is no record of a trace: it is skipped, so that no input can fill memory. */
export const MAX_LINE_BYTES = 64 * 2 ** 20;

export const isCompressed = (path: string): boolean => /\.(?:gz|zst)$/.test(path);

/**
 * The lines of a file, streamed in batches (one per chunk read). `.gz` and `.zst` are decompressed; offsets then count plain bytes.
 * Throws ACG_TRACE for a file that cannot be read or decompressed to its end.
 */
export async function* linesOf(path: string, maxLineBytes = MAX_LINE_BYTES): AsyncGenerator<Line[]> {
  const file = createReadStream(path, { highWaterMark: 1 << 20 });
  const decoder = path.endsWith('.gz') ? createGunzip() : path.endsWith('.zst') ? createZstdDecompress() : undefined;
  // pipe() does not pass errors on: a file that cannot be read must fail the loop below, not hang it
  if (decoder) file.on('error', (error) => decoder.destroy(error));
  const stream: AsyncIterable<Buffer> = decoder ? file.pipe(decoder) : file;
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let skipped = 0;
  let number = 0;
  let offset = 0;
  const end = (lineEnd: number): Line => {
    const bytes = pendingBytes + skipped + lineEnd;
    const line: Line = { number: ++number, offset, bytes };
    if (!skipped) line.text = (pending.length === 1 ? pending[0]! : Buffer.concat(pending)).toString('utf8');
    offset += bytes;
    pending = [];
    pendingBytes = 0;
    skipped = 0;
    return line;
  };
  const keep = (piece: Buffer) => {
    if (skipped || pendingBytes + piece.length > maxLineBytes) {
      skipped += pendingBytes + piece.length;
      pending = [];
      pendingBytes = 0;
    } else {
      pending.push(piece);
      pendingBytes += piece.length;
    }
  };
  for await (const chunk of readable(stream, path)) {
    const batch: Line[] = [];
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      keep(chunk.subarray(from, at));
      batch.push(end(1));
      from = at + 1;
    }
    if (from < chunk.length) keep(Buffer.from(chunk.subarray(from)));
    if (batch.length) yield batch;
  }
  if (pendingBytes || skipped) yield [end(0)];
}

async function* readable(stream: AsyncIterable<Buffer>, path: string): AsyncGenerator<Buffer> {
  try {
    yield* stream;
  } catch (cause) {
    throw new AcgError('ACG_TRACE', `${path}: ${(cause as Error).message}`, { cause });
  }
}
