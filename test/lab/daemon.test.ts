import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { runInLab } from '../../src/lab/index.ts';

const fixture = (name: string) => resolve(import.meta.dirname, 'fixtures', name);

test('500 calls, 50 OOM-killed, 50 killed by signals, 20 with background processes, leave nothing behind', async () => {
  const { stdout, stderr, exitCode } = await runInLab({
    argv: [process.execPath, fixture('daemon-soak.ts')],
    timeoutMs: 540_000,
  });
  expect(exitCode, stderr.toString()).toBe(0);
  const found = JSON.parse(stdout.toString());
  expect(found.result.stderr).toBe('');
  expect(JSON.parse(found.result.stdout)).toEqual({ statuses: { 0: 390, 9: 10, 137: 80, 143: 20 }, noted: 50 });
  expect(found).toMatchObject({
    cgroups: [],
    runDir: ['api.sock', 'sessions', 'shim.sock'],
    calls: 500,
    oomKilled: 50,
    oomFeedback: 50,
    signalled: 50,
    background: 20,
    agentOomKilled: false,
    log: [],
  });
  expect(found.processesAdded).toBeLessThanOrEqual(0);
}, 600_000);

test('greedy, crowd and tight: one limit for all loses agents, agentcgroup loses none and tells why', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'acg-scenarios-'));
  try {
    const grow = join(dir, 'grow');
    execFileSync('gcc', ['-O2', '-static', '-o', grow, resolve(import.meta.dirname, '../fixtures/grow.c')]);
    const { stdout, stderr, exitCode } = await runInLab({
      argv: [process.execPath, fixture('scenarios.ts'), grow],
      timeoutMs: 540_000,
    });
    expect(exitCode, stderr.toString()).toBe(0);
    type Ended = [status: number, seconds: number, stderr: string][] | null;
    const found = JSON.parse(stdout.toString()) as Record<string, { none: Ended[]; agentcgroup: Ended[] }>;
    for (const [name, arms] of Object.entries(found))
      for (const [arm, ends] of Object.entries(arms)) process.stdout.write(`${name} ${arm}: ${JSON.stringify(ends)}\n`);
    const lost = (ends: Ended[]) => ends.filter((end) => end === null).length;
    for (const name of ['greedy', 'crowd', 'tight']) expect(lost(found[name]!.agentcgroup), name).toBe(0);
    expect(lost(found.greedy!.none)).toBeGreaterThan(0);
    expect(lost(found.crowd!.none)).toBeGreaterThan(0);
    const [high, low] = found.greedy!.agentcgroup;
    expect(high!.map(([status]) => status)).toEqual([0, 0]);
    // what is killed is told why; what is not, is done
    for (const end of [...low!, ...found.crowd!.agentcgroup.flatMap((e) => e ?? []), ...found.tight!.agentcgroup[0]!]) {
      if (end[0] === 0) continue;
      expect(end[0]).toBe(137);
      expect(end[2]).toContain('[agentcgroup]');
    }
    expect(found.tight!.agentcgroup[0]!.map(([status]) => status)).toEqual([137, 0]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}, 600_000);
