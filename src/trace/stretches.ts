import type { FileHandle } from 'node:fs/promises';
import type { Line } from './lines.ts';

/** Read at once, when neighbouring stretches are near. */
const WINDOW_BYTES = 256 * 1024;

/** Where in a file the lines of one session stand: runs of lines, 24 bytes of memory each. */
export class Stretches {
  /** Line number, byte offset and length of each run, one after another. */
  private readonly runs: number[] = [];
  private lastLine = -1;

  add(line: number, offset: number, bytes: number): void {
    if (line === this.lastLine + 1 && this.runs.length) this.runs[this.runs.length - 1]! += bytes;
    else this.runs.push(line, offset, bytes);
    this.lastLine = line;
  }

  /** The same out of all lines of the file: for one that is compressed, which can only be read from its beginning. */
  async *linesAmong(all: AsyncIterable<Line[]>): AsyncGenerator<{ line: number; text: string }> {
    let i = 0;
    for await (const batch of all)
      for (const { number, offset, text } of batch) {
        while (i < this.runs.length && offset >= this.runs[i + 1]! + this.runs[i + 2]!) i += 3;
        if (i < this.runs.length && offset >= this.runs[i + 1]! && text?.trim()) yield { line: number, text };
      }
  }

  /** The lines, read again. */
  async *lines(file: FileHandle): AsyncGenerator<{ line: number; text: string }> {
    let window = Buffer.alloc(0);
    let windowAt = 0;
    for (let i = 0; i < this.runs.length; i += 3) {
      const [line, offset, bytes] = this.runs.slice(i, i + 3) as [number, number, number];
      if (offset < windowAt || offset + bytes > windowAt + window.length) {
        const buffer = Buffer.allocUnsafe(Math.max(bytes, WINDOW_BYTES));
        window = buffer.subarray(0, (await file.read(buffer, 0, buffer.length, offset)).bytesRead);
        windowAt = offset;
      }
      const texts = window.toString('utf8', offset - windowAt, offset - windowAt + bytes).split('\n');
      for (const [k, text] of texts.entries()) if (text.trim() !== '') yield { line: line + k, text };
    }
  }
}
