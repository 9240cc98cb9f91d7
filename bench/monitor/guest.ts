/** In the guest: the load without and with the monitor, in turn; what each round took and what each hook cost. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { bpfStatus, Monitor } from '../../src/control/kernel/index.ts';
import { makeCall, makeTree, root } from '../../test/lab/kernel/fixtures/tree.ts';

const pairs = Number(process.env.PAIRS);
makeTree();
const call = makeCall('bench');
// the host's file system answers in the host's time, which the guest's clock does not count
copyFileSync(process.env.LOAD!, '/run/load');

const load = (): number[] => {
  const { status, stdout, stderr } = spawnSync('/run/load', [call], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the load ended with ${status}: ${stderr}`);
  return stdout.trim().split('\n').map(Number);
};

function watched<T>(what: () => T): T {
  const monitor = new Monitor();
  monitor.watch(root);
  using _events = monitor.events(() => {});
  try {
    return what();
  } finally {
    monitor.unload();
  }
}

load();
const off: number[] = [];
const on: number[] = [];
for (let i = 0; i < pairs; i++) {
  off.push(...load());
  on.push(...watched(load));
}
writeFileSync('/proc/sys/kernel/bpf_stats_enabled', '1');
const hooks = watched(() => {
  load();
  return bpfStatus().loaded[0]!.programs.filter((p) => p.runs > 0);
});
process.stdout.write(JSON.stringify({ off, on, hooks }));
