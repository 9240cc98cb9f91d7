import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { expect, test } from 'vitest';
import { runsToParquet } from '../../../src/study/evaluate/index.ts';

test('raw runs as Parquet: nested as they are, broken ones too; nothing half written', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'acg-parquet-'));
  try {
    const [raw, out] = [join(dir, 'runs.ndjson'), join(dir, 'it is.parquet')];
    const broken = { arm: 'none', run: 0, measures: null, sessions: [], broken: 'the guest died' };
    const good = { arm: 'none', run: 1, measures: { agentsAlive: 2 }, sessions: [{ growthUs: [5, 7] }], broken: null };
    writeFileSync(raw, `${JSON.stringify(broken)}\n${JSON.stringify(good)}\n`);
    await runsToParquet(raw, out);
    const db = await (await DuckDBInstance.create(':memory:')).connect();
    const query = `SELECT run, broken, measures.agentsAlive AS alive, sessions[1].growthUs[2] AS step FROM '${out}' ORDER BY run`;
    const rows = (await db.runAndReadAll(query)).getRowObjectsJS();
    expect(rows.map((r) => [Number(r.run), r.broken, r.alive && Number(r.alive), r.step && Number(r.step)])).toEqual([
      [0, 'the guest died', null, null],
      [1, null, 2, 7],
    ]);
    db.closeSync();
    writeFileSync(raw, 'no json\n');
    await expect(runsToParquet(raw, join(dir, 'bad.parquet'))).rejects.toMatchObject({ code: 'ACG_EVALUATE' });
    expect(existsSync(join(dir, 'bad.parquet'))).toBe(false);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
