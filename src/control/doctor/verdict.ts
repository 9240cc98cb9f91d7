import type { Capability, Tier } from '../../model/index.ts';

export interface Verdict {
  /** Can agentcgroup do its work here at all? */
  able: boolean;
  tier: Tier;
  /** One sentence: what it can do here, what not, what could not be told. */
  summary: string;
}

/** Without these nothing works. */
const needed = ['cgroup2', 'delegation', 'cgroup.freeze', 'native addon', 'born inside', 'Node.js'];

/** What agentcgroup offers, and the rows it takes. */
const abilities: [what: string, rows: string[]][] = [
  ['limit and measure the memory of a call', ['memory controller']],
  ['limit its processes', ['pids controller']],
  ['share the CPU', ['cpu controller']],
  ['share the disks', ['io controller']],
  ['reclaim ahead of need', ['memory controller', 'memory.reclaim']],
  ['notice pressure', ['PSI trigger']],
  ['survive a restart of the daemon', ['xattr']],
  ['take the shells of every agent', ['mount namespace']],
  [
    'throttle memory growth in the kernel',
    ['sched_ext', 'memcg hooks', 'BPF', 'charge hook', 'task work', 'memory controller'],
  ],
];

/** What the rows come to. Pure; a row that is missing counts as `unknown`. */
export function verdict(rows: readonly Capability[]): Verdict {
  const states = new Map(rows.map((row) => [row.name, row.state]));
  const state = (names: string[]) => {
    const all = names.map((name) => states.get(name) ?? 'unknown');
    return all.includes('no') ? 'no' : all.includes('unknown') ? 'unknown' : 'yes';
  };
  const able = state(needed) === 'yes';
  const tier = tierOf(state);
  if (!able) {
    const blocked = needed.filter((name) => states.get(name) === 'no');
    const summary = blocked.length
      ? `agentcgroup cannot work here, for want of: ${blocked.join(', ')}.`
      : `could not tell whether agentcgroup works here: ${needed.filter((name) => states.get(name) !== 'yes').join(', ')} could not be tried.`;
    return { able, tier, summary };
  }
  const those = (wanted: string) => abilities.filter(([, names]) => state(names) === wanted).map(([what]) => what);
  const parts = ['gives every tool call a cgroup of its own and ends it whole'];
  if (those('yes').length) parts.push(`it can ${those('yes').join(', ')}`);
  if (those('no').length) parts.push(`it cannot ${those('no').join(', ')}`);
  if (those('unknown').length) parts.push(`could not tell whether it can ${those('unknown').join(', ')}`);
  return { able, tier, summary: `Tier ${tier}: agentcgroup ${parts.join('; ')}.` };
}

/** A tier is claimed only when nothing it stands on is a no; what could not be tried is left to the loading itself. */
function tierOf(state: (names: string[]) => Capability['state']): Tier {
  if (state(['memory controller']) !== 'yes' || state(['BPF', 'BTF']) === 'no') return 'cgroup';
  if (state(['memcg_bpf_ops']) === 'yes') return 'memcg-bpf';
  const hooked = state(['sched_ext', 'memcg hooks']) === 'yes' && state(['charge hook', 'task work']) !== 'no';
  return hooked ? 'sched-ext' : 'cgroup';
}
