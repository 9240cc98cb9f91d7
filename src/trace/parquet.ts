/** Traces as Parquet, one file per record type, for DuckDB, pandas, Spark and their like. */
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { AcgError, TraceRecord } from '../model/index.ts';
import { type ImportedSession, recordsOf } from './session.ts';

const TYPES = ['session', 'sample', 'call', 'event'] as const;
type RecordType = (typeof TYPES)[number];

/** DuckDB's type for each field of a record. What is nested (node, labels, data, ...) becomes a column of JSON text. */
export function columnsOf(type: RecordType): Record<string, string> {
  const schema = TraceRecord.options.find((o) => o.shape.type.value === type)!;
  const { properties = {} } = z.toJSONSchema(schema) as { properties?: Record<string, z.core.JSONSchema.BaseSchema> };
  return Object.fromEntries(Object.entries(properties).map(([field, s]) => [field, columnType(s)]));
}

function columnType(s: z.core.JSONSchema.BaseSchema): string {
  const types = ((s.anyOf ?? [s]) as z.core.JSONSchema.BaseSchema[]).flatMap((a) => a.type ?? []);
  const [type, ...more] = (types as string[]).filter((t) => t !== 'null');
  if (type === undefined || more.length) return 'JSON';
  if (type === 'array' && (s.items as { type?: string } | undefined)?.type === 'string') return 'VARCHAR[]';
  return { string: 'VARCHAR', boolean: 'BOOLEAN', integer: 'BIGINT', number: 'DOUBLE' }[type] ?? 'JSON';
}

/**
 * Writes `sessions.parquet`, `samples.parquet`, `calls.parquet` and `events.parquet` into `folder`, each complete or not
 * there. Memory holds one session; what waits for DuckDB is in temporary files beside the result. Resolves with the
 * number of rows by record type. Throws ACG_TRACE_WRITE.
 */
export async function exportParquet(
  sessions: AsyncIterable<ImportedSession>,
  folder: string,
): Promise<Record<RecordType, number>> {
  const rows = { session: 0, sample: 0, call: 0, event: 0 };
  const staging = join(folder, `.export-${process.pid}`);
  const refused = (cause: unknown) =>
    new AcgError('ACG_TRACE_WRITE', `${folder}: ${(cause as Error).message}`, { cause });
  const made = await mkdir(folder, { recursive: true }).catch((cause) => {
    throw refused(cause);
  });
  try {
    await mkdir(staging);
    await stage(sessions, staging, rows);
    // loaded on use: the daemon, which only writes traces, does without
    const { DuckDBInstance } = await import('@duckdb/node-api');
    const instance = await DuckDBInstance.create(':memory:', { memory_limit: '512MB', temp_directory: staging });
    const db = await instance.connect();
    try {
      for (const type of TYPES) {
        const made = join(staging, `${type}s.parquet`);
        const source = rows[type] ? fromJson(type, join(staging, `${type}.ndjson`)) : empty(type);
        await db.run(`COPY (${source}) TO ${quoted(made)} (FORMAT parquet, COMPRESSION zstd)`);
        await rename(made, join(folder, `${type}s.parquet`));
      }
    } finally {
      db.closeSync();
      instance.closeSync();
    }
  } catch (cause) {
    if (cause instanceof AcgError) throw cause;
    throw refused(cause);
  } finally {
    await rm(staging, { recursive: true, force: true });
    // made for nothing; with a file in it it stays
    if (made !== undefined) await rmdir(folder).catch(() => {});
  }
  return rows;
}

/** All records into one file of lines per type. */
async function stage(
  sessions: AsyncIterable<ImportedSession>,
  folder: string,
  rows: Record<RecordType, number>,
): Promise<void> {
  const path = (type: RecordType) => join(folder, `${type}.ndjson`);
  for await (const s of sessions) {
    const lines: Record<RecordType, string[]> = { session: [], sample: [], call: [], event: [] };
    for (const r of recordsOf(s)) {
      lines[r.type].push(`${JSON.stringify(r)}\n`);
      rows[r.type]++;
    }
    for (const type of TYPES) await pipeline(Readable.from(lines[type]), createWriteStream(path(type), { flags: 'a' }));
  }
}

function fromJson(type: RecordType, path: string): string {
  const columns = Object.entries(columnsOf(type)).map(([field, t]) => `${quoted(field)}: ${quoted(t)}`);
  return `SELECT * FROM read_json(${quoted(path)}, format = 'newline_delimited', maximum_object_size = 67108864,
    columns = {${columns.join(', ')}})`;
}

function empty(type: RecordType): string {
  const columns = Object.entries(columnsOf(type)).map(([field, t]) => `CAST(NULL AS ${t}) AS "${field}"`);
  return `SELECT ${columns.join(', ')} WHERE false`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
