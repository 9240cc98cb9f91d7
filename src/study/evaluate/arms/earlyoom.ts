import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AcgError } from '../../../model/index.ts';
import { replayProgram } from '../../replay/index.ts';
import { earlyoomPeer } from '../peers.ts';
import type { Arm, ArmContext } from './arm.ts';
import { besidePeer, ended, onlyInLab } from './peer.ts';

/**
 * earlyoom looks at the whole machine, so for its arm the machine is made as small as the node: a process that nobody kills holds
 * the rest of the guest's memory. Its thresholds are Debian's defaults, 10 % and 5 %, of the node.
 */
export const earlyoom: Arm = {
  name: 'earlyoom',
  what: 'earlyoom as Debian packages it, with its defaults (10 % of the node free: SIGTERM to the process with the highest score; 5 %: SIGKILL).',
  peer: true,
  runs: earlyoomPeer,
  async begin(context: ArmContext) {
    onlyInLab(earlyoomPeer);
    const node = context.scenario.node.memory;
    const ballast = await fill(context.dir, available() - node);
    const kib = Math.floor(node / 1024);
    const thresholds = ['-M', `${Math.floor(kib / 10)},${Math.floor(kib / 20)}`, '-r', '0'];
    return besidePeer(context, earlyoomPeer, thresholds, () => ended(ballast));
  },
};

function available(): number {
  return Number(/^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))![1]) * 1024;
}

/** A process that holds so many bytes: an agent at a barrier that never comes. */
async function fill(dir: string, bytes: number) {
  const plan = join(dir, 'ballast.plan');
  const log = join(dir, 'ballast.log');
  writeFileSync(log, '');
  writeFileSync(plan, `log ${log}\ngo ${join(dir, 'never')}\nanon ${Math.max(0, bytes)}\nset\n`);
  const script = 'echo -1000 > /proc/self/oom_score_adj && exec "$@"';
  const child = spawn('/bin/sh', ['-c', script, 'sh', replayProgram(), 'agent', plan], { stdio: 'ignore' });
  for (const limit = performance.now() + 60_000; !readFileSync(log, 'utf8').startsWith('ready'); await sleep(20))
    if (performance.now() > limit || child.exitCode !== null) {
      await ended(child);
      throw new AcgError('ACG_EVALUATE', 'the rest of the machine could not be filled');
    }
  return child;
}
