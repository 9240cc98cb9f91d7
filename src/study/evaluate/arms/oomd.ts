import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { oomdPeer } from '../peers.ts';
import type { Arm, ArmContext } from './arm.ts';
import { besidePeer } from './peer.ts';

/**
 * Meta's oomd with the rule for user sessions of Debian's configuration, put on the node and its sessions. Debian looks every 5 s
 * and waits for 30 s of pressure; scenarios last seconds, so it gets the shortest times it can be given: 1 s both.
 */
export const oomd: Arm = {
  name: 'oomd',
  what: "Meta's oomd as Debian packages it: its rule for user sessions (memory pressure above 60 %, kill by size or growth), at the shortest times it takes (every second, for one second).",
  peer: true,
  runs: oomdPeer,
  async begin(context: ArmContext) {
    const node = basename(context.node.path);
    const pressure = { cgroup: node, resource: 'memory', threshold: '60', duration: '1' };
    const ruleset = {
      name: 'session protection',
      detectors: [
        [
          'pressure above 60 for 1 s',
          { name: 'pressure_above', args: pressure },
          { name: 'memory_reclaim', args: { cgroup: node, duration: '10' } },
        ],
      ],
      actions: [{ name: 'kill_by_memory_size_or_growth', args: { cgroup: `${node}/*` } }],
    };
    const config = join(context.dir, 'oomd.json');
    writeFileSync(config, JSON.stringify({ rulesets: [ruleset] }));
    const runtime = join(context.dir, 'oomd');
    return besidePeer(context, oomdPeer, ['--config', config, '--interval', '1', '--runtime-dir', runtime]);
  },
};
