/** The kernel's part of a tier: BTF, BPF, sched_ext, memcg_bpf_ops, and the privileges they need. */
import { existsSync, readFileSync } from 'node:fs';
import { type Capability, no, unknown, yes } from '../../model/index.ts';
import { bpfRow } from './bpf.ts';
import { findInBtf } from './btf.ts';

const newerKernel = 'a kernel that has it: Debian backports 7.2 or newer (the lab boots one: `agentcgroup lab shell`)';

/** Bit numbers of include/uapi/linux/capability.h. */
const privileges = { CAP_SYS_ADMIN: 21, CAP_SYS_RESOURCE: 24, CAP_PERFMON: 38, CAP_BPF: 39 } as const;

/** What each is for here. */
const uses: Record<keyof typeof privileges, string> = {
  CAP_SYS_ADMIN: 'mounts over the shells in a private mount namespace; BPF before 5.8',
  CAP_SYS_RESOURCE: 'negative oom_score_adj for agents; PSI windows below 2 s',
  CAP_PERFMON: 'BPF programs that read kernel memory',
  CAP_BPF: 'loading BPF programs',
};

/** The effective capabilities in the text of /proc/self/status, one row each; unknown when the text has no CapEff. */
export function privilegeRows(status: string): Capability[] {
  const mask = /^CapEff:\s*([0-9a-f]{1,16})$/m.exec(status)?.[1];
  return Object.entries(privileges).map(([name, bit]) => {
    const use = uses[name as keyof typeof privileges];
    if (mask === undefined) return unknown(name, 'no CapEff in /proc/self/status');
    return (BigInt(`0x${mask}`) >> BigInt(bit)) & 1n
      ? yes(name, use)
      : no(
          name,
          `this process lacks it: ${use}`,
          `run as root; a container may take ${name} from root too: have it added`,
        );
  });
}

/** What the kernel's BTF must define for each row. The functions are what the memory governor hooks and calls. */
const hooks = ['page_counter_try_charge', 'bpf_task_work_schedule_resume'];

export function btfRows(blob: Buffer | undefined): Capability[] {
  const names = ['BTF', 'memcg hooks', 'memcg_bpf_ops'];
  if (blob === undefined)
    return [
      no('BTF', 'no /sys/kernel/btf/vmlinux', 'a kernel with CONFIG_DEBUG_INFO_BTF'),
      ...names.slice(1).map((name) => unknown(name, 'no BTF to look it up in')),
    ];
  const found = findInBtf(blob, { structs: ['memcg_bpf_ops'], functions: hooks });
  if (!found) return names.map((name) => unknown(name, 'the BTF has a form this release does not know'));
  const missing = hooks.filter((hook) => !found.functions.has(hook));
  return [
    yes('BTF', '/sys/kernel/btf/vmlinux'),
    missing.length
      ? no('memcg hooks', `not in this kernel: ${missing.join(', ')}`, newerKernel)
      : yes('memcg hooks', hooks.join(', ')),
    found.structs.has('memcg_bpf_ops')
      ? yes('memcg_bpf_ops', 'used with `memory: memcg-bpf`; otherwise the memory governor keeps the budgets')
      : no(
          'memcg_bpf_ops',
          'not in this kernel; no released kernel has it',
          'to try it: agentcgroup lab kernel build, then lab run --kernel memcg-bpf',
        ),
  ];
}

/** sched_ext by /sys/kernel/sched_ext: `state`, and the loaded scheduler's name in `ops`. A machine runs one root scheduler. */
export function schedExtRow(state: string | undefined, ops: string | undefined): Capability {
  if (state === undefined) return no('sched_ext', 'CONFIG_SCHED_CLASS_EXT is off in this kernel', newerKernel);
  if (state === 'disabled') return yes('sched_ext', 'no scheduler loaded');
  if (ops?.startsWith('agentcgroup')) return yes('sched_ext', `ours is loaded (${ops})`);
  return no(
    'sched_ext',
    `another scheduler is ${state}${ops ? `: ${ops}` : ''}, and a machine runs one`,
    'stop that scheduler',
  );
}

export function kernelRows(): Capability[] {
  const sched = '/sys/kernel/sched_ext';
  return [
    ...privilegeRows(read('/proc/self/status') ?? ''),
    bpfRow(),
    schedExtRow(read(`${sched}/state`), read(`${sched}/root/ops`)),
    ...btfRows(readBlob('/sys/kernel/btf/vmlinux')),
  ];
}

function read(path: string): string | undefined {
  return readBlob(path)?.toString('utf8').trim();
}

function readBlob(path: string): Buffer | undefined {
  return existsSync(path) ? readFileSync(path) : undefined;
}
