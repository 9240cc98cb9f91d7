import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { readRuns } from '../../src/study/evaluate/index.ts';

const run = promisify(execFile);
const cli = resolve(import.meta.dirname, '../../bin/agentcgroup.js');
const scenario = (name: string) => resolve(import.meta.dirname, 'fixtures/scenarios', `${name}.yaml`);

test('evaluate: two scenarios, three arms, three runs, in the lab; what is there is not run again', async () => {
  const out = mkdtempSync(join(tmpdir(), 'acg-evaluate-'));
  try {
    const arms = ['alone', 'none', 'agentcgroup-cgroup'];
    const args = ['evaluate', scenario('smoke-tight'), scenario('smoke-ample')];
    const options = ['--arms', arms.join(), '--runs', '3', '--jobs', '2', '--out', out];
    await run(process.execPath, [cli, ...args, ...options], { timeout: 560_000, maxBuffer: 2 ** 24 });
    const runs = readRuns(join(out, 'runs.ndjson'));
    expect(runs.map((r) => r.broken)).toEqual(Array.from({ length: 18 }, () => null));
    const of = (name: string, arm: string) => runs.filter((r) => r.scenario === name && r.arm === arm);
    // what no control loses and agentcgroup keeps
    for (const r of of('smoke-tight', 'none')) expect(r.measures!.agentsLost).toBeGreaterThan(0);
    for (const r of of('smoke-tight', 'agentcgroup-cgroup')) {
      expect(r.measures).toMatchObject({ agentsAlive: 2, callsKilledWithFeedback: r.measures!.callsKilled });
      // calls are told apart in the time line
      expect(r.timeline!.series.some((s) => s.call !== null)).toBe(true);
      expect(r.measures!.controllerCpu).toBeGreaterThan(0);
    }
    for (const arm of arms)
      for (const r of of('smoke-ample', arm))
        expect(r.measures, arm).toMatchObject({ sessionsCompleted: 2, agentsLost: 0, callsKilled: 0, oomKills: 0 });
    for (const r of runs) {
      const steps = r.sessions.find((s) => s.session === 'high')!.growthUs.length;
      if (r.sessions.find((s) => s.session === 'high')!.completed) expect(steps).toBe(60);
      // nothing skipped the guest's clock ahead
      expect(r.hostWaits).toBe(0);
      expect(r.environment).toMatchObject({ where: 'lab', deterministicClock: true, cpus: 2 });
    }
    expect(existsSync(join(out, 'runs.parquet'))).toBe(true);
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('smoke-tight');
    // again: nothing is left to be done, so no guest is booted
    const raw = readFileSync(join(out, 'runs.ndjson'), 'utf8');
    const again = await run(process.execPath, [cli, ...args, ...options], { timeout: 60_000, maxBuffer: 2 ** 24 });
    expect(again.stderr).toContain('18 of 18 runs');
    expect(readFileSync(join(out, 'runs.ndjson'), 'utf8')).toBe(raw);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}, 600_000);
