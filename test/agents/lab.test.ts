import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runInLab } from '../../src/lab/index.ts';
import { agents } from './catalog.ts';
import { installAgent } from './install.ts';
import type { AgentRun } from './run.ts';

/** Minutes for each agent on a machine without KVM: only when they are asked for. */
const wanted = process.env.AGENTCGROUP_AGENTS;
const chosen = agents.filter(({ name }) => wanted === 'all' || wanted?.split(',').includes(name));
const whyNot = process.env.AGENTCGROUP_SKIP_AGENTS
  ? 'AGENTCGROUP_SKIP_AGENTS is set'
  : process.getuid?.() !== 0
    ? 'not root'
    : chosen.length === 0 && 'slow: `npm run test:agents` runs them';

describe.skipIf(whyNot)(`real agents with a memory controller${whyNot ? ` (${whyNot})` : ''}`, () => {
  for (const agent of chosen) {
    test(`${agent.name}: a greedy call is killed, the agent lives, its model reads why`, {
      timeout: 1_900_000,
    }, async (context) => {
      const installed = installAgent(agent);
      if ('missing' in installed) return context.skip(`cannot be installed: ${installed.missing}`);
      const folder = mkdtempSync(join(tmpdir(), 'acg-grow-'));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      const grow = join(folder, 'grow');
      execFileSync('gcc', ['-O2', '-static', '-o', grow, resolve(import.meta.dirname, '../fixtures/grow.c')]);
      const guest = await runInLab({
        argv: [process.execPath, resolve(import.meta.dirname, 'in-lab.ts'), agent.name, grow, '1500000'],
        memoryBytes: 4 * 2 ** 30,
        // agents have time limits of their own: by a clock that counts instructions an emulated machine is not slow
        deterministic: true,
        kernelArguments: ['clearcpuid=erms,fsrm'],
        timeoutMs: 1_700_000,
      });
      expect(guest.exitCode, `${guest.stderr}\n${guest.console.slice(-2000)}`).toBe(0);
      const run = JSON.parse(guest.stdout.toString()) as AgentRun;

      expect({ status: run.status, timedOut: run.timedOut }, run.output).toEqual({ status: 0, timedOut: false });
      expect(run.shown, run.output).toHaveLength(3);
      const calls = run.calls.filter(({ tool }) => tool === 'Bash');
      // by the kernel at its ceiling, or by the policy before that: the call alone, and it is told
      const killers = calls.map((call) => call.killedBy);
      const greedy = calls[1]!;
      expect(killers, JSON.stringify(greedy)).toEqual([undefined, expect.stringMatching(/^(oom|ladder)$/), undefined]);
      expect(greedy.feedback?.kind).toMatch(/^(oom|ceiling)$/);
      expect(greedy.peakBytes).toBeGreaterThan(200 * 2 ** 20);
      // what the agent sent to its model after the call: the command's own output, and our words
      expect(run.shown[1]).toContain('small');
      expect(run.shown[1]).toContain(greedy.feedback!.text);
      expect(run.shown[1]).toContain(greedy.feedback!.advice);
      expect(run.shown[2]).toContain('after');
      expect(run.left).toBe(0);
    });
  }
});
