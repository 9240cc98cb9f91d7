import { Transform } from 'node:stream';

/** A message longer than this passes through unread: its call gets no record of its own. */
const MAX_READ = 8 * 2 ** 20;

/**
 * Passes bytes through exactly as they come, and shows each whole line (a JSON-RPC message over stdio is one line) to
 * `onLine` when it has passed.
 */
export function watchLines(onLine: (line: string) => void): Transform {
  let parts: Buffer[] = [];
  let bytes = 0;
  const take = (part: Buffer) => {
    bytes += part.length;
    if (bytes <= MAX_READ) parts.push(part);
  };
  const end = () => {
    if (bytes > 0 && bytes <= MAX_READ) onLine(Buffer.concat(parts).toString());
    parts = [];
    bytes = 0;
  };
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      this.push(chunk);
      let from = 0;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
        take(chunk.subarray(from, at));
        end();
        from = at + 1;
      }
      take(chunk.subarray(from));
      done();
    },
    flush(done) {
      end();
      done();
    },
  });
}
