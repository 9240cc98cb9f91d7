/**
 * Time and peak memory of a fleet of 1,000 nodes and 100,000 sessions under the policy, and of the same under no control.
 * Usage: node bench/simulate.ts [nodes] [sessions] [traces...]   (default 1000 100000 and the example set)
 */
import { availableParallelism } from 'node:os';
import { command } from './command.ts';

const [nodes = '1000', sessions = '100000', ...traces] = process.argv.slice(2);

interface Fleet {
  sessions: number;
  calls: number;
  agentsLostCount: number;
  high: number;
}

async function measure(placement: string) {
  const fleet = ['--nodes', nodes, '--sessions', sessions, '--node-memory', '8g', '--placements', placement];
  const taken = await command(['simulate', ...traces, ...fleet, '--no-density', '--json'], { progress: true });
  return { ...taken, fleet: JSON.parse(taken.out).fleet as Fleet[] };
}

console.log(`${nodes} nodes, ${sessions} sessions, ${availableParallelism()} processors`);
const none = await measure('risk:none');
const policy = await measure('risk:agentcgroup');
for (const [name, r] of [['none', none] as const, ['agentcgroup', policy] as const])
  console.log(
    `${name.padEnd(12)} ${r.seconds.toFixed(0)} s, ${r.cpuSeconds.toFixed(0)} s of CPU, peak ${r.peakMb.toFixed(0)} MiB, ${r.fleet[0]!.sessions} sessions, ${r.fleet[0]!.calls} calls, ${r.fleet[0]!.agentsLostCount} agents lost, HIGH ${r.fleet[0]!.high.toFixed(3)}x`,
  );
console.log(`the policy's share: ${(policy.cpuSeconds / none.cpuSeconds).toFixed(1)} times the CPU of the nodes alone`);
