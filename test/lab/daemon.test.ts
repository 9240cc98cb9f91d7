import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { runInLab } from '../../src/lab/index.ts';

const fixture = (name: string) => resolve(import.meta.dirname, 'fixtures', name);

/** An emulated guest makes one to two calls a second: 50 here, AGENTCGROUP_LAB_CALLS=500 for the whole proof. */
const calls = Number(process.env.AGENTCGROUP_LAB_CALLS ?? 50);

test(
  `${calls} calls, a tenth OOM-killed, a tenth killed by signals, some with background processes, leave nothing behind`,
  async () => {
    const { stdout, stderr, exitCode } = await runInLab({
      argv: [process.execPath, fixture('daemon-soak.ts'), String(calls)],
      timeoutMs: 120_000 + calls * 2000,
    });
    expect(exitCode, stderr.toString()).toBe(0);
    const found = JSON.parse(stdout.toString());
    const share = (of50: number) => (of50 * calls) / 50;
    expect(found.result.stderr).toBe('');
    const statuses = { 0: share(39), 9: share(1), 137: share(8), 143: share(2) };
    expect(JSON.parse(found.result.stdout)).toEqual({ statuses, noted: share(5) });
    expect(found).toMatchObject({
      cgroups: [],
      runDir: ['api.sock', 'sessions', 'shim.sock'],
      calls,
      oomKilled: share(5),
      oomFeedback: share(5),
      signalled: share(5),
      background: share(2),
      agentOomKilled: false,
      log: [],
    });
    expect(found.processesAdded).toBeLessThanOrEqual(0);
  },
  150_000 + calls * 2000,
);

// Five minutes of an emulated guest: on request, AGENTCGROUP_LAB_SCENARIOS=1.
const scenarios = process.env.AGENTCGROUP_LAB_SCENARIOS;

test.skipIf(!scenarios)(
  'greedy, crowd and tight: one limit for all loses agents, agentcgroup loses none and tells why',
  async () => {
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
        for (const [arm, ends] of Object.entries(arms))
          process.stdout.write(`${name} ${arm}: ${JSON.stringify(ends)}\n`);
      const lost = (ends: Ended[]) => ends.filter((end) => end === null).length;
      for (const name of ['greedy', 'crowd', 'tight']) expect(lost(found[name]!.agentcgroup), name).toBe(0);
      expect(lost(found.greedy!.none)).toBeGreaterThan(0);
      expect(lost(found.crowd!.none)).toBeGreaterThan(0);
      const [high, low] = found.greedy!.agentcgroup;
      expect(high!.map(([status]) => status)).toEqual([0, 0]);
      // what is killed is told why; what is not, is done
      for (const end of [
        ...low!,
        ...found.crowd!.agentcgroup.flatMap((e) => e ?? []),
        ...found.tight!.agentcgroup[0]!,
      ]) {
        if (end[0] === 0) continue;
        expect(end[0]).toBe(137);
        expect(end[2]).toContain('[agentcgroup]');
      }
      expect(found.tight!.agentcgroup[0]!.map(([status]) => status)).toEqual([137, 0]);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
  600_000,
);
