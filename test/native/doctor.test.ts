import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { parseMountinfo } from '../../src/control/cgroup/index.ts';

const main = resolve(import.meta.dirname, '../../bin/agentcgroup.js');
const doctor = (...argv: string[]) =>
  spawnSync(process.execPath, [main, 'doctor', ...argv], { encoding: 'utf8', timeout: 60_000 });

const mount = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')).find((m) => !m.readOnly);

test('the report: every row in three values, each no with its reason, the status as the verdict', () => {
  const { status, stdout, stderr } = doctor('--json');
  const report = JSON.parse(stdout);
  expect(status, stderr).toBe(report.able ? 0 : 69);
  const rows = report.groups.flatMap((group: { rows: object[] }) => group.rows);
  expect(rows.length).toBeGreaterThan(30);
  for (const row of rows) {
    expect(['yes', 'no', 'unknown']).toContain(row.state);
    if (row.state !== 'yes') expect(row.detail, row.name).toBeTruthy();
  }
  expect(new Set(rows.map((row: { name: string }) => row.name)).size).toBe(rows.length);
  if (mount) expect(readdirSync(mount.path).filter((name) => name.startsWith('agentcgroup-probe'))).toEqual([]);
});

test('for people: one line a row, and a last sentence', () => {
  const { stdout } = doctor();
  expect(stdout).toMatch(/^cgroup2 {2,}(yes|no)/m);
  expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^Linux .+\. (Tier|agentcgroup cannot work here|could not tell)/);
});

test('a root that is no cgroup2 directory: status 69 and what to do', () => {
  const { status, stdout } = doctor('--cgroup-root', '/proc/nowhere');
  expect(status).toBe(69);
  expect(stdout).toContain('/proc/nowhere is not on a cgroup2 mount');
  expect(stdout).toContain('-> mount -t cgroup2');
});

test('unknown options are a usage error', () => {
  expect(doctor('--nonsense').status).toBe(64);
});
