import { renameSync, rmSync } from 'node:fs';
import { AcgError } from '../../model/index.ts';

/**
 * The raw runs as Parquet, nested as they are, for DuckDB, pandas and their like: complete or not there. Throws ACG_EVALUATE.
 */
export async function runsToParquet(raw: string, to: string): Promise<void> {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(':memory:', { memory_limit: '1GB', threads: '1' });
  const db = await instance.connect();
  const staging = `${to}.${process.pid}`;
  const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
  try {
    // a time line of a long run is a large object; a run that broke has no measures, so all lines are looked at for the types
    const source = `read_json(${quoted(raw)}, format = 'newline_delimited', maximum_object_size = 33554432, sample_size = -1)`;
    await db.run(`COPY (SELECT * FROM ${source}) TO ${quoted(staging)} (FORMAT parquet, COMPRESSION zstd)`);
    renameSync(staging, to);
  } catch (cause) {
    rmSync(staging, { force: true });
    throw new AcgError('ACG_EVALUATE', `${to}: ${(cause as Error).message}`, { cause });
  } finally {
    db.closeSync();
    instance.closeSync();
  }
}
