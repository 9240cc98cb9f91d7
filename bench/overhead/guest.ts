/** In the guest: the load under the fair class with nothing loaded, and as a governed call with everything loaded, in turn. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { bpfStatus, Governor, Monitor, Scheduler } from '../../src/control/kernel/index.ts';
import { idOf, MiB, makeCall, makeTree, root, session } from '../../test/lab/kernel/fixtures/tree.ts';

const pairs = Number(process.env.PAIRS);
makeTree();
const call = makeCall('bench');
// the host's file system answers in the host's time, which the guest's clock does not count
copyFileSync(process.env.LOAD!, '/run/load');

const load = (policy: 'fair' | 'ext'): number[] => {
  const { status, stdout, stderr } = spawnSync('/run/load', [call, policy], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the load ended with ${status}: ${stderr}`);
  return stdout.trim().split('\n').map(Number);
};

/** Everything a call meets in production, with limits it never reaches. */
function governed<T>(what: () => T): { result: T; holds: number; charges: number; ejected: boolean } {
  const monitor = new Monitor();
  monitor.watch(root);
  using _events = monitor.events(() => {});
  const scheduler = new Scheduler('partial');
  const governor = new Governor(scheduler);
  const limit = { rate: 1e9, burst: 64 * MiB, soft: 512 * MiB, priority: 'normal', call: true } as const;
  governor.limit(idOf(call), limit);
  governor.limit(idOf(session), { ...limit, soft: 1024 * MiB, call: false });
  governor.guard({ cgroup: idOf(root), limit: 2048 * MiB, low: 64 * MiB, clear: 128 * MiB });
  try {
    const result = what();
    const { holds, charges } = governor.counts();
    return { result, holds, charges, ejected: scheduler.exit() !== undefined };
  } finally {
    scheduler.unload();
    monitor.unload();
  }
}

load('fair');
const off: number[] = [];
const on: number[] = [];
let holds = 0;
let charges = 0;
let ejected = 0;
for (let i = 0; i < pairs; i++) {
  off.push(...load('fair'));
  const seen = governed(() => load('ext'));
  on.push(...seen.result);
  holds += seen.holds;
  charges += seen.charges;
  ejected += Number(seen.ejected);
}
writeFileSync('/proc/sys/kernel/bpf_stats_enabled', '1');
const hooks = governed(() => {
  load('ext');
  return bpfStatus().loaded.flatMap(({ programs }) => programs.filter((p) => p.runs > 0));
}).result;
process.stdout.write(JSON.stringify({ off, on, holds, charges, ejected, hooks }));
