import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BOOLEAN,
  DOUBLE,
  type DuckDBAppender,
  type DuckDBConnection,
  DuckDBDataChunk,
  DuckDBInstance,
  type DuckDBType,
  type DuckDBValue,
  INTEGER,
  VARCHAR,
} from '@duckdb/node-api';
import { type Row, type TableName, tables } from './tables.ts';

const types: Record<string, DuckDBType> = { INTEGER, DOUBLE, VARCHAR, BOOLEAN };
/** Rows handed to DuckDB at once: the size of its own vectors. */
const chunkRows = 2048;
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Rows of a table that wait in memory for a full chunk. */
type Waiting = { columns: DuckDBValue[][]; names: string[]; types: DuckDBType[]; appender: DuckDBAppender };

export type Cell = number | string | boolean | null;
/** A row of an answer: some columns are lists (of quantiles). */
export type AnswerRow = Record<string, Cell | readonly number[]>;

/**
 * The measured rows in DuckDB, in a temporary file, so that memory stays bounded for any number of sessions: what does
 * not fit into `memoryMb` goes to disk. Remove it with `await using`.
 */
export class Store implements AsyncDisposable {
  private readonly waiting = new Map<TableName, Waiting>();
  private readonly dir: string;
  private readonly instance: DuckDBInstance;
  private readonly connection: DuckDBConnection;

  private constructor(dir: string, instance: DuckDBInstance, connection: DuckDBConnection) {
    this.dir = dir;
    this.instance = instance;
    this.connection = connection;
    for (const signal of signals) process.once(signal, this.onSignal);
  }

  /** A stopped study leaves nothing behind: the file may be gigabytes. The signal then does what it would have done. */
  private readonly onSignal = (signal: NodeJS.Signals): void => {
    rmSync(this.dir, { recursive: true, force: true });
    for (const s of signals) process.off(s, this.onSignal);
    process.kill(process.pid, signal);
  };

  static async create(memoryMb = 256): Promise<Store> {
    const dir = await mkdtemp(join(tmpdir(), 'agentcgroup-study-'));
    const instance = await DuckDBInstance.create(join(dir, 'study.duckdb'), {
      memory_limit: `${memoryMb}MB`,
      temp_directory: join(dir, 'spill'),
      // more threads cost memory each and the queries are short
      threads: '2',
    });
    const connection = await instance.connect();
    // the file is thrown away: bringing it into order first would be work for nothing
    await connection.run('PRAGMA disable_checkpoint_on_shutdown');
    const store = new Store(dir, instance, connection);
    for (const [name, columns] of Object.entries(tables)) {
      await connection.run(
        `CREATE TABLE ${name} (${Object.entries(columns)
          .map(([column, type]) => `${column} ${type}`)
          .join(', ')})`,
      );
      store.waiting.set(name as TableName, {
        columns: Object.keys(columns).map(() => []),
        names: Object.keys(columns),
        types: Object.values(columns).map((type) => types[type]!),
        appender: await connection.createAppender(name),
      });
    }
    return store;
  }

  append<N extends TableName>(table: N, rows: readonly Row<N>[]): void {
    const w = this.waiting.get(table)!;
    for (const row of rows) {
      for (let i = 0; i < w.names.length; i++) w.columns[i]!.push((row as Record<string, Cell>)[w.names[i]!] ?? null);
      if (w.columns[0]!.length >= chunkRows) this.hand(w);
    }
  }

  private hand(w: Waiting): void {
    if (!w.columns[0]!.length) return;
    const chunk = DuckDBDataChunk.create(w.types, w.columns[0]!.length);
    chunk.setColumns(w.columns);
    w.appender.appendDataChunk(chunk);
    for (const column of w.columns) column.length = 0;
  }

  /** Call once, after the last row: makes all rows visible and lays the views the definitions read from. */
  async finish(setOrder: readonly string[]): Promise<void> {
    for (const w of this.waiting.values()) {
      this.hand(w);
      w.appender.closeSync();
    }
    this.waiting.clear();
    await this.connection.run('CREATE TABLE sets (set_name VARCHAR, place INTEGER)');
    for (const [i, name] of setOrder.entries())
      await this.connection.run('INSERT INTO sets VALUES ($1, $2)', [name, i]);
    await this.connection.run(views);
  }

  async rows(sql: string, values: DuckDBValue[] = []): Promise<AnswerRow[]> {
    const result = await this.connection.runAndReadAll(sql, values);
    return result.getRowObjectsJS().map((row) => {
      for (const [k, v] of Object.entries(row)) if (typeof v === 'bigint') row[k] = Number(v);
      return row as AnswerRow;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // after a failure: an appender must go before its connection, and what it holds is not wanted any more
    for (const w of this.waiting.values()) {
      w.appender.clear();
      w.appender.closeSync();
    }
    this.connection.closeSync();
    this.instance.closeSync();
    for (const signal of signals) process.off(signal, this.onSignal);
    await rm(this.dir, { recursive: true, force: true });
  }
}

/**
 * `*_used` join every row to its session and keep the sessions that count. `common` marks tasks that another set has as
 * well. `images` has each set's own images, and under no set name
 * each task's image once (the first set's): a task that two sets have is one image.
 */
const views = `
CREATE TABLE tasks_used AS
  SELECT t.*, t.task IN (SELECT task FROM tasks WHERE used GROUP BY task HAVING count(DISTINCT set_name) > 1) AS common
  FROM tasks t WHERE used;
CREATE VIEW samples_used AS
  SELECT s.*, t.set_name, t.task, t.common FROM samples s JOIN tasks_used t USING (id);
CREATE VIEW calls_used AS
  SELECT c.*, t.set_name, t.task, t.common FROM calls c JOIN tasks_used t USING (id);
CREATE VIEW bursts_used AS
  SELECT b.*, t.set_name, t.task FROM bursts b JOIN tasks_used t USING (id);
CREATE VIEW groups_used AS
  SELECT g.*, t.set_name, t.task FROM command_groups g JOIN tasks_used t USING (id);
CREATE VIEW images AS
  SELECT set_name, id, task, image_gib FROM tasks_used WHERE image_gib IS NOT NULL
  UNION ALL
  SELECT NULL, arg_min(id, place), task, arg_min(image_gib, place)
  FROM tasks_used JOIN sets USING (set_name) WHERE image_gib IS NOT NULL GROUP BY task;
CREATE VIEW runs AS
  SELECT set_name, task, count(*) AS attempts, max(wall_s) / min(wall_s) AS wall_ratio,
    max(active_s) / min(active_s) AS active_ratio, max(mem_peak_mb) / min(mem_peak_mb) AS peak_ratio,
    string_agg(printf('%.1f', wall_s), ' / ' ORDER BY attempt) AS times, min(id) AS id
  FROM tasks WHERE wall_s > 0 AND attempt IS NOT NULL GROUP BY set_name, task HAVING count(*) > 1;
CREATE VIEW tasks_between_sets AS
  SELECT min(set_name) AS set_name, task, max(active_s) / min(active_s) AS active_ratio,
    max(mem_peak_mb) / min(mem_peak_mb) AS peak_ratio, min(id) AS id
  FROM tasks_used WHERE common AND active_s > 0 GROUP BY task;
`;
