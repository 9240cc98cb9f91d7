/** The recorder on cgroup v2 with every controller: what a host of today has, and this machine may not. */
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { runInLab } from '../../src/lab/index.ts';
import { parseLine } from '../../src/trace/index.ts';

test('a session with a growing tool call: kinds of memory, swap, pressure, pids, and the call with its peak', async () => {
  const script = resolve(import.meta.dirname, 'fixtures/record.sh');
  const program = resolve(import.meta.dirname, '../../bin/agentcgroup.js');
  const guest = await runInLab({ argv: ['sh', script, process.execPath, program], timeoutMs: 480_000 });
  expect(guest.exitCode, guest.stderr.toString()).toBe(0);
  const records = guest.stdout.toString().trim().split('\n').map(parseLine);
  const unsound = records.filter((r) => 'why' in r);
  expect(unsound).toEqual([]);
  const samples = records.flatMap((r) => ('type' in r && r.type === 'sample' ? [r] : []));
  expect(new Set(samples.map((s) => s.scope))).toEqual(new Set(['session', 'agent', 'call']));
  const detailed = samples.find((s) => s.scope === 'session' && s.memorySomeUsec !== undefined)!;
  for (const field of ['anonBytes', 'fileBytes', 'kernelBytes', 'swapBytes', 'cpuUsec', 'pids', 'ioFullUsec'] as const)
    expect(detailed, field).toHaveProperty(field);
  const ofCall = samples.filter((s) => s.scope === 'call');
  expect(ofCall.length).toBeGreaterThan(3);
  expect(Math.max(...ofCall.map((s) => s.memoryBytes))).toBeGreaterThan(100e6);
  expect(Math.max(...ofCall.map((s) => s.anonBytes ?? 0))).toBeGreaterThan(50e6);
  const calls = records.flatMap((r) => ('type' in r && r.type === 'call' ? [r] : []));
  expect(calls).toMatchObject([{ call: 'tool-1', tenant: 'acme', session: 's1', via: 'shim' }]);
  expect(calls[0]!.peakBytes).toBeGreaterThan(120e6);
  expect(calls[0]!.end).toBeGreaterThan(calls[0]!.start);
}, 560_000);
