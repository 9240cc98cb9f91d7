import { bpf } from './addon.ts';
import { Descriptor } from './descriptor.ts';

/** Flags of BPF_LINK_CREATE (kernel/patches, include/uapi/linux/bpf.h). */
const flags = { allowOverride: 1 << 0, cgroup: 1 << 7 } as const;

/** Where a struct_ops map is attached that belongs to a cgroup. */
export interface CgroupTarget {
  /** Path of the cgroup's directory. */
  cgroup: string;
  /** Whether a descendant may have another one instead. */
  override?: boolean;
}

/**
 * Attaches a struct_ops map, filled in before, to a cgroup and all below it, by the interface of kernel/patches. The
 * kernel's own coming one is another system call: it gets a file of its own beside this. Returns the link's descriptor;
 * throws a BpfFailure: EBUSY (somebody else is attached there), ENODEV (no memory controller there).
 */
export function attachToCgroup(map: Descriptor, { cgroup, override = false }: CgroupTarget): number {
  using directory = new Descriptor(bpf().openDirectory(cgroup));
  return bpf().linkStructOps(map.fd, directory.fd, flags.cgroup | (override ? flags.allowOverride : 0));
}
