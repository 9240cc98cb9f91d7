import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AcgError, Name, type TraceRecord } from '../model/index.ts';

export interface WriterOptions {
  /** Told once when writing fails (disk full, file system gone) and again after it has worked in between. */
  onError?: (error: AcgError) => void;
  /** Longest time a record waits in memory, milliseconds. Default 200: what a crash of this process can cost. */
  flushMs?: number;
  /** Records wait in memory while the disk refuses them, up to this many bytes; then new ones are dropped and counted. Default 8 MiB. */
  maxBufferBytes?: number;
  /** Ask the disk to keep each batch before it counts as written (a power cut then costs at most `flushMs`). */
  fsync?: boolean;
}

export interface WriterTotals {
  records: number;
  bytes: number;
  /** Records that never reached the file. */
  dropped: number;
}

const BATCH_BYTES = 64 * 1024;
const RETRY_MS = 1000;

/**
 * Appends records to an NDJSON trace. Nothing here throws into the caller's loop: `write` only queues, batches go out with
 * one O_APPEND write each, and trouble is told to `onError`. What a full disk has cut off is completed when there is room
 * again, so that a crash can tear at most the last line; dropped records leave a `trace-gap` event where they are missing.
 */
export class TraceWriter {
  readonly path: string;
  private readonly file: FileHandle;
  private readonly options: WriterOptions;
  private readonly maxBufferBytes: number;
  private queue: string[] = [];
  private queuedBytes = 0;
  /** Bytes of a batch that the disk has not taken yet. */
  private rest = Buffer.alloc(0);
  private restRecords = 0;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private failing = false;
  private closed = false;
  private gap = 0;
  /** Of the latest record: a gap belongs to the session it is in. */
  private session: string | undefined;
  private readonly totals: WriterTotals = { records: 0, bytes: 0, dropped: 0 };

  private constructor(path: string, file: FileHandle, options: WriterOptions) {
    this.path = path;
    this.file = file;
    this.options = options;
    this.maxBufferBytes = options.maxBufferBytes ?? 8 * 2 ** 20;
  }

  /**
   * Opens `path` for appending, made with its folder if need be, readable by its owner only (commands may hold secrets).
   * A line that an earlier crash has torn is ended first. Throws ACG_TRACE_WRITE.
   */
  static async open(path: string, options: WriterOptions = {}): Promise<TraceWriter> {
    let file: FileHandle | undefined;
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      file = await open(path, 'a+', 0o600);
      const writer = new TraceWriter(path, file, options);
      // with the first batch: on a disk that is still full it can wait
      if (await endsTorn(file)) writer.rest = Buffer.from('\n');
      return writer;
    } catch (cause) {
      await file?.close();
      throw new AcgError('ACG_TRACE_WRITE', `${path}: ${(cause as Error).message}`, { cause });
    }
  }

  /** Queues one record. Never throws, never blocks. */
  write(record: TraceRecord): void {
    let line: string;
    try {
      line = `${JSON.stringify(record)}\n`;
    } catch (cause) {
      this.drop();
      this.tell(cause);
      return;
    }
    const bytes = Buffer.byteLength(line);
    if (this.closed || this.queuedBytes + this.rest.length + bytes > this.maxBufferBytes) {
      this.drop();
      return;
    }
    this.session = record.session;
    this.queue.push(line);
    this.queuedBytes += bytes;
    if (this.queuedBytes >= BATCH_BYTES && !this.failing) void this.flush();
    else this.later(this.options.flushMs ?? 200);
  }

  /** Hands everything queued to the file. Resolves when it is there or has been refused. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.running ??= this.drain().finally(() => {
      this.running = undefined;
      // what came in after the last look
      if (this.queue.length) this.later(0);
    });
    await this.running;
  }

  /** Writes what is left and closes the file. Later records are dropped. */
  async close(): Promise<WriterTotals> {
    if (!this.closed) {
      await this.flush();
      this.closed = true;
      await this.flush();
      clearTimeout(this.timer);
      this.totals.dropped += this.queue.length + this.restRecords;
      this.queue = [];
      this.restRecords = 0;
      await this.file.close().catch((cause) => this.tell(cause));
    }
    return { ...this.totals };
  }

  private later(ms: number): void {
    if (this.timer || this.closed) return;
    this.timer = setTimeout(() => void this.flush(), this.failing ? RETRY_MS : ms);
    this.timer.unref();
  }

  private async drain(): Promise<void> {
    try {
      while (this.rest.length || this.queue.length) {
        if (!this.rest.length) this.nextBatch();
        const taken = (await this.file.write(this.rest, 0, this.rest.length, null)).bytesWritten;
        this.totals.bytes += taken;
        this.rest = this.rest.subarray(taken);
        if (this.rest.length) continue;
        this.totals.records += this.restRecords;
        this.restRecords = 0;
        if (this.options.fsync) await this.file.datasync();
        this.failing = false;
        if (this.gap) this.noteGap();
      }
    } catch (cause) {
      if (!this.failing) this.tell(cause);
      this.failing = true;
      this.later(RETRY_MS);
    }
  }

  private nextBatch(): void {
    this.rest = Buffer.from(this.queue.join(''));
    this.restRecords = this.queue.length;
    this.queue = [];
    this.queuedBytes = 0;
  }

  private noteGap(): void {
    const records = this.gap;
    this.gap = 0;
    const where = this.session === undefined ? {} : { session: this.session };
    this.write({ type: 'event', ...where, t: Date.now(), kind: 'trace-gap', data: { records } });
  }

  private drop(): void {
    this.totals.dropped++;
    this.gap++;
  }

  private tell(cause: unknown): void {
    const error = new AcgError('ACG_TRACE_WRITE', `${this.path}: ${(cause as Error).message}`, { cause });
    try {
      this.options.onError?.(error);
    } catch {
      // a reporter that throws must not stop the recording
    }
  }
}

/** Where the trace of a session goes below `dir`: one file per run of the session, the start in its name (UTC, to the millisecond). */
export function tracePath(dir: string, session: string, start: number): string {
  const stamp = new Date(start).toISOString().replace(/[-:.Z]/g, '');
  return join(dir, `${Name.parse(session)}-${stamp}.ndjson`);
}

async function endsTorn(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return false;
  const last = Buffer.alloc(1);
  await file.read(last, 0, 1, size - 1);
  return last[0] !== 10;
}
