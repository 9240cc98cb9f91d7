import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { expect, test } from 'vitest';
import { attempt, folder, under } from '../trace/fixtures.ts';

const bin = resolve(import.meta.dirname, '../../bin/agentcgroup.js');
const run = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, 'trace', ...args], {
    encoding: 'utf8',
    timeout: 15_000,
  });
  return { status, stdout, stderr };
};
const dataset = () =>
  folder({ ...under('set/one/attempt_1', attempt()), ...under("set/o'ther/attempt_1", attempt()), keep: 'x' });

test('show: figures as JSON, a table for people', () => {
  const dir = dataset();
  const { sessions } = JSON.parse(run('show', dir, '--json', '--calls').stdout);
  expect(sessions).toHaveLength(2);
  expect(sessions[1]).toMatchObject({
    session: 'set/one/attempt_1',
    durationMs: 13_000,
    samples: 3,
    calls: 2,
    peakBytes: 185_000_000,
    callRecords: [{ call: 'c1' }, { call: 'c2', command: 'make test' }],
  });
  const shown = run('show', dir, '--session', 'set/one/attempt_1');
  expect(shown.stdout).toContain('176 MiB');
  expect(shown.stdout).toContain('make test');
  expect(shown.stdout).not.toContain("o'ther");
  expect(run('show', dir, '--session', 'none')).toMatchObject({ status: 65 });
});

test('import, validate, merge: the way through our own format', () => {
  const dir = dataset();
  const a = join(dir, 'a.ndjson');
  expect(run('import', join(dir, 'set'), '-o', a)).toMatchObject({ status: 0 });
  expect(run('validate', a)).toMatchObject({ status: 0, stdout: '' });
  const merged = run('merge', a, a);
  expect(merged.stdout.trim().split('\n')).toHaveLength(2 * readFileSync(a, 'utf8').trim().split('\n').length);
  expect(run('merge', a, '-o', a)).toMatchObject({ status: 64 });
  expect(run('merge', join(dir, 'keep'))).toMatchObject({ status: 65 });
  expect(run('import', dir, '-o', join(dir, 'keep/x'))).toMatchObject({ status: 74 });
});

test('validate names each unsound line and exits with 65', () => {
  const dir = folder({
    'x.ndjson': [
      { type: 'session', version: 1, session: 's', tenant: 't', source: 'daemon', start: 5, end: 4 },
      { type: 'sample', session: 's', t: 5, memoryBytes: 1 },
      { type: 'sample', session: 's', t: 5, memoryBytes: 1 },
      { type: 'call', session: 'q', call: 'c', tenant: 't', tool: 'Bash', start: 3, end: 2 },
      { type: 'sample', session: 's', t: 'x', memoryBytes: 1 },
    ],
  });
  const { status, stdout } = run('validate', join(dir, 'x.ndjson'));
  expect(status).toBe(65);
  expect(
    stdout
      .trim()
      .split('\n')
      .map((l) => l.replace(/.*ndjson:/, '')),
  ).toEqual([
    '1: the session ends before it starts',
    '3: not later than the sample before it of the same cgroup',
    '4: the call ends before it starts',
    expect.stringMatching(/^5: t: /),
    '4: session q has no session record',
  ]);
  const damaged = { ...attempt(), 'resources.json': '{"samples":[' };
  expect(run('validate', folder(under('d/t/attempt_1', damaged)))).toMatchObject({ status: 65 });
  expect(run('validate', join(dir, 'gone'))).toMatchObject({ status: 65, stderr: expect.stringContaining('ENOENT') });
});

test('export: Parquet that DuckDB reads, with the same counts and nothing left behind', async () => {
  const dir = dataset();
  const out = join(dir, "out 'x'");
  expect(run('export', join(dir, 'set'), '-o', out)).toMatchObject({ status: 0 });
  expect(readdirSync(out).sort()).toEqual(['calls.parquet', 'events.parquet', 'samples.parquet', 'sessions.parquet']);
  const db = await (await DuckDBInstance.create(':memory:')).connect();
  const rows = async (sql: string) =>
    (await db.runAndReadAll(sql.replaceAll('@', out.replaceAll("'", "''")))).getRows();
  expect(await rows("SELECT count(*), max(memoryBytes) FROM '@/samples.parquet'")).toEqual([[6n, 185_000_000]]);
  expect(await rows("SELECT command, durationMs FROM '@/calls.parquet' WHERE subAgent LIMIT 1")).toEqual([
    ['make test', 200],
  ]);
  expect(await rows("SELECT json_extract(phasesMs, '$.run')::DOUBLE FROM '@/sessions.parquet' LIMIT 1")).toEqual([
    [13_000],
  ]);
  expect(await rows("SELECT kind, count(*) FROM '@/events.parquet' GROUP BY kind ORDER BY kind")).toHaveLength(4);
});

test('anonymise: a key file gives the same names again; a short key is refused', () => {
  const dir = folder({ ...under('set/one/attempt_1', attempt()), key: 'k'.repeat(32), short: 'k' });
  const once = run('anonymise', join(dir, 'set'), '--key-file', join(dir, 'key'), '--shift-days');
  expect(once.status).toBe(0);
  expect(run('anonymize', join(dir, 'set'), '--key-file', join(dir, 'key'), '--shift-days').stdout).toBe(once.stdout);
  expect(once.stdout).toContain('make test');
  expect(once.stdout).not.toMatch(/"(task|dataset)":"(one|set)"/);
  expect(run('anonymise', join(dir, 'set'), '--key-file', join(dir, 'short'))).toMatchObject({ status: 64 });
});

test('a failed import leaves no file behind', () => {
  const dir = folder({ 'x.jsonl': [{ a: 1 }] });
  expect(run('import', join(dir, 'x.jsonl'), '-o', join(dir, 'out.ndjson'))).toMatchObject({ status: 65 });
  expect(existsSync(join(dir, 'out.ndjson')) || existsSync(join(dir, 'out.ndjson.partial'))).toBe(false);
});

test('help says what goes in, with examples', () => {
  expect(run('--help').stdout).toContain('anonymise');
  const { status, stdout } = run('show', '--help');
  expect(status).toBe(0);
  expect(stdout).toContain('Examples:');
});
