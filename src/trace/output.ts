import { open, rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AcgError } from '../model/index.ts';

/**
 * Lines into a file, or to standard output when there is no path. The file appears under its name only when it is whole.
 * A reader that has seen enough (`| head`) ends it quietly. Throws ACG_TRACE_WRITE.
 */
export async function writeLines(lines: AsyncIterable<string>, path?: string): Promise<void> {
  if (path === undefined) {
    try {
      await pipeline(Readable.from(batches(lines)), process.stdout, { end: false });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
    }
    return;
  }
  const partial = `${path}.partial`;
  const writing = async <T>(step: Promise<T>): Promise<T> => {
    try {
      return await step;
    } catch (cause) {
      throw new AcgError('ACG_TRACE_WRITE', `${path}: ${(cause as Error).message}`, { cause });
    }
  };
  const file = await writing(open(partial, 'w', 0o600));
  try {
    for await (const batch of batches(lines)) await writing(file.appendFile(batch));
    await file.close();
    await writing(rename(partial, path));
  } catch (error) {
    await file.close();
    await rm(partial, { force: true });
    throw error;
  }
}

async function* batches(lines: AsyncIterable<string>): AsyncGenerator<string> {
  let batch: string[] = [];
  let size = 0;
  for await (const line of lines) {
    batch.push(line, '\n');
    size += line.length;
    if (size < 64 * 1024) continue;
    yield batch.join('');
    batch = [];
    size = 0;
  }
  if (batch.length) yield batch.join('');
}
