import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Name, type SessionRecord, TRACE_VERSION, type TraceRecord } from '../../model/index.ts';
import { TraceWriter } from '../../trace/index.ts';
import type { Session } from './session.ts';
import { measured } from './usage.ts';

/** The traces this daemon writes: one file per session, kept after the session's end. */
export class TraceStore {
  readonly directory: string;
  readonly #node: SessionRecord['node'];
  readonly #report: (error: unknown, doing: string) => void;
  readonly #writers = new Map<string, TraceWriter>();

  constructor(directory: string, node: SessionRecord['node'], report: (error: unknown, doing: string) => void) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.directory = directory;
    this.#node = node;
    this.#report = report;
  }

  /** The file of a session. The id is a checked Name, so the path stays in the folder. */
  path(session: string): string {
    return join(this.directory, `${Name.parse(session)}.ndjson`);
  }

  write(session: string, record: TraceRecord): void {
    let writer = this.#writers.get(session);
    if (!writer) {
      writer = TraceWriter.open(this.path(session), { onError: (error) => this.#report(error, `write the trace of ${session}`) });
      this.#writers.set(session, writer);
    }
    writer.write(record);
  }

  /** The session's own record: at its start, and again at its end. */
  sessionChanged(session: Session, result: { exitCode?: number | null; signal?: string | null } = {}): void {
    const { kept } = session;
    this.write(
      session.id,
      measured<SessionRecord>({
        type: 'session',
        version: TRACE_VERSION,
        session: kept.session,
        tenant: kept.tenant,
        priority: kept.priority,
        source: 'daemon',
        argv: kept.argv,
        start: kept.start,
        end: session.end,
        exitCode: result.exitCode,
        signal: result.signal,
        agentOomKilled: session.end === undefined ? undefined : session.agentOomKilled,
        memoryLimitBytes: kept.limits.memoryBytes,
        node: this.#node,
      }),
    );
  }

  async close(session: string): Promise<void> {
    const writer = this.#writers.get(session);
    this.#writers.delete(session);
    await writer?.close();
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#writers.keys()].map((session) => this.close(session)));
  }
}
