import { AcgError, type Capability, no, unknown, yes } from '../../model/index.ts';
import { bpf, isBpfFailure } from './addon.ts';
import { verifyOnly } from './load.ts';
import { missingPrivilege } from './privilege.ts';
import type { Hook } from './spec.ts';

/** Every row of `probeKernel`, in order. The name is what programs look rows up by. */
export const kernelCapabilities = [
  'BPF',
  'cgroup iterator',
  'charge hook',
  'stall hooks',
  'memcg kfuncs',
  'task work',
  'sched_ext operations',
  'memcg_bpf_ops',
] as const;
export type KernelCapability = (typeof kernelCapabilities)[number];

const newer = 'Debian backports 7.2 or newer (the lab boots one: `agentcgroup lab shell`)';

/** The program of bpf/probe.bpf.c that stands for a row, what to say when the kernel refuses it, and how to get it. */
const probes: { name: KernelCapability; program: string; missing: string; remedy: string }[] = [
  {
    name: 'BPF',
    program: 'tracing',
    missing: 'no program may be attached to a tracepoint',
    remedy: 'a kernel with CONFIG_BPF_SYSCALL, CONFIG_BPF_EVENTS and CONFIG_DEBUG_INFO_BTF',
  },
  {
    name: 'cgroup iterator',
    program: 'cgroup_iterator',
    missing: 'no program may walk cgroups (needs Linux 6.1)',
    remedy: newer,
  },
  {
    name: 'charge hook',
    program: 'charge_hook',
    missing: 'no program may be attached to memory charges',
    remedy: 'a kernel with CONFIG_MEMCG and CONFIG_FUNCTION_TRACER, not locked down',
  },
  {
    name: 'stall hooks',
    program: 'stall_hook',
    missing: 'no program may be attached to memory stalls',
    remedy: 'a kernel with CONFIG_PSI and CONFIG_FUNCTION_TRACER, not locked down',
  },
  { name: 'memcg kfuncs', program: 'memcg_kfuncs', missing: 'memcg kfuncs missing (needs Linux 7.2)', remedy: newer },
  { name: 'task work', program: 'task_work', missing: 'bpf_task_work missing (needs Linux 7.2)', remedy: newer },
];

const schedExt = 'sched_ext operations';
const memcgOps = 'memcg_bpf_ops';

/** sched_ext is there when the kernel can register such operations; without cgroup_set_bandwidth cpu.max cannot be kept. */
export function schedExtRow(registrable: boolean, members: readonly string[] | undefined): Capability {
  if (!registrable || !members) return no(schedExt, 'the kernel has no sched_ext (CONFIG_SCHED_CLASS_EXT)', newer);
  if (!members.includes('cgroup_set_bandwidth'))
    return no(schedExt, 'sched_ext without cgroup_set_bandwidth (needs Linux 7.2)', newer);
  return yes(schedExt, `${members.length} operations`);
}

/** By member names, which have changed between the postings; no release has it yet. */
export function memcgOpsRow(members: readonly string[] | undefined): Capability {
  if (!members)
    return no(
      memcgOps,
      'not in this kernel; no released kernel has it',
      'to try it: agentcgroup lab kernel build, then lab run --kernel memcg-bpf',
    );
  return yes(memcgOps, members.join(', '));
}

/** The rows that loading decides. */
export function programRows(hooks: readonly Hook[]): Capability[] {
  return probes.map(({ name, program, missing, remedy }) => {
    const hook = hooks.find((h) => h.name === program);
    if (!hook) return unknown(name, 'the probe has no such program');
    return hook.on ? yes(name, hook.place) : no(name, `${missing}: ${hook.why}`, remedy);
  });
}

let cached: Capability[] | undefined;

/**
 * What the running kernel lets our programs do, by loading a tiny program for each; nothing is attached, nothing stays. Asked once
 * per process (0.1 s). Without privilege, or without the native part, every row says so: it could not be tried.
 */
export function probeKernel(): Capability[] {
  cached ??= probe();
  return cached;
}

function probe(): Capability[] {
  const none = (why: string, remedy: string) => kernelCapabilities.map((name) => unknown(name, why, remedy));
  const missing = missingPrivilege();
  if (missing) return none(missing, 'run as root');
  try {
    const hooks = verifyOnly({ name: 'probe', structs: [], essential: [] });
    const members = (name: string) => bpf().kernelType('struct', name);
    return [
      ...programRows(hooks),
      schedExtRow(members('bpf_struct_ops_sched_ext_ops') !== undefined, members('sched_ext_ops')),
      memcgOpsRow(members('memcg_bpf_ops')),
    ];
  } catch (error) {
    if (error instanceof AcgError) return none(error.detail || error.message, 'see `agentcgroup bpf status`');
    if (isBpfFailure(error)) return none(error.message, 'a kernel with CONFIG_DEBUG_INFO_BTF');
    throw error;
  }
}
