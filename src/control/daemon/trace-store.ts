import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CallRecord,
  type Priority,
  type SessionRecord,
  TRACE_VERSION,
  type TraceRecord,
} from '../../model/index.ts';
import { readTrace, TraceWriter, tracePath } from '../../trace/index.ts';
import type { KeptSession } from './kept.ts';
import { measured } from './usage.ts';

type Report = (error: unknown, doing: string) => void;

/** The traces this daemon writes: one file per session, kept after the session's end. */
export class TraceStore {
  readonly directory: string;
  readonly #node: SessionRecord['node'];
  readonly #report: Report;
  readonly #writers = new Map<string, TraceWriter>();
  #closed = false;

  constructor(directory: string, node: SessionRecord['node'], report: Report) {
    this.directory = directory;
    this.#node = node;
    this.#report = report;
  }

  path({ session, start }: KeptSession): string {
    return tracePath(this.directory, session, start);
  }

  /** Opens the session's trace, new or of an earlier daemon. Throws ACG_TRACE_WRITE. */
  async open(kept: KeptSession): Promise<void> {
    const onError = (error: unknown) => this.#report(error, `write the trace of ${kept.session}`);
    this.#writers.set(kept.session, await TraceWriter.open(this.path(kept), { onError }));
  }

  /** Queues a record; of a session whose trace is closed, drops it. */
  write(session: string, record: TraceRecord): void {
    this.#writers.get(session)?.write(record);
  }

  /** The session's own record: at its start, and again with what is known at its end. */
  writeSession(
    kept: KeptSession,
    priority: Priority,
    end: Pick<SessionRecord, 'end' | 'exitCode' | 'signal' | 'agentOomKilled'> = {},
  ): void {
    const { session, tenant, argv, start, limits } = kept;
    const record = {
      type: 'session',
      version: TRACE_VERSION,
      source: 'daemon',
      session,
      tenant,
      priority,
      argv,
      start,
    } as const;
    this.write(
      session,
      measured<SessionRecord>({ ...record, ...end, memoryLimitBytes: limits.memoryBytes, node: this.#node }),
    );
  }

  /**
   * Resolves when everything written so far is in the file, or was refused and reported. Never when all is closed, as nothing can be written
   * any more: what was to follow is for the next daemon to do.
   */
  async flush(session: string): Promise<void> {
    if (this.#closed) await new Promise(() => {});
    await this.#writers.get(session)?.flush();
  }

  async close(session: string): Promise<void> {
    const writer = this.#writers.get(session);
    this.#writers.delete(session);
    await writer?.close();
  }

  async closeAll(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#writers.keys()].map((session) => this.close(session)));
  }

  /** The latest record of each of the session's calls so far. */
  async calls(kept: KeptSession): Promise<CallRecord[]> {
    const calls = new Map<string, CallRecord>();
    const path = this.path(kept);
    if (!existsSync(path)) return [];
    const bad = ({ line, why }: { line: number; why: string }) =>
      this.#report(new Error(why), `read ${path}, line ${line}`);
    // most lines are samples: a daemon that has to read them all is away for so long
    const ofCall = (text: string) => text.startsWith('{"type":"call"');
    for await (const { record } of readTrace(path, bad, ofCall))
      if (record.type === 'call') calls.set(record.call, record);
    return [...calls.values()];
  }
}

/** `tracePath`: the session, the start. What others keep in that folder is not ours to delete. */
const TRACE_NAME = /-\d{8}T\d{9}\.ndjson$/;

/** Deletes trace files that nobody has written to for so many days. Returns their names. */
export function deleteOldTraces(directory: string, keepDays: number, now = Date.now()): string[] {
  if (!existsSync(directory)) return [];
  const old = readdirSync(directory)
    .filter((name) => TRACE_NAME.test(name))
    .filter((name) => {
      const modified = statSync(join(directory, name), { throwIfNoEntry: false })?.mtimeMs;
      return modified !== undefined && now - modified > keepDays * 86_400_000;
    });
  for (const name of old) rmSync(join(directory, name), { force: true });
  return old;
}
