// SPDX-License-Identifier: GPL-2.0
/*
 * Memory policy on a kernel with memcg_bpf_ops (kernel/patches): the same budgets as the memory governor's, kept by delaying
 * the charge itself instead of what comes after it; and protection of what a session needs now. See bpf/README.md.
 */
#include "vmlinux-min.h"
#include "memcg-ops.bpf.h"
#include "shared.bpf.h"
#include "budget.bpf.h"
#include "memory-delay.bpf.h"
#include "memory-protect.bpf.h"

/* Id of the cgroup it is attached to, set by the loader: what is pinned for another one is another program. */
const volatile __u64 acg_place = 0;

/* Ids are reused: nothing of a cgroup may be left when the next one gets its id. */
SEC("struct_ops/handle_cgroup_offline")
void BPF_PROG(acg_memory_offline, struct mem_cgroup *memcg)
{
	__u64 id = memcg->css.cgroup->kn->id;

	bpf_map_delete_elem(&acg_rates, &id);
	bpf_map_delete_elem(&acg_growth, &id);
	bpf_map_delete_elem(&acg_needs, &id);
	bpf_map_delete_elem(&acg_refaults, &id);
}

SEC(".struct_ops.link")
struct memcg_bpf_ops acg_memory = {
	.handle_cgroup_offline = (void *)acg_memory_offline,
	.below_low = (void *)acg_below_low,
	.below_min = (void *)acg_below_min,
	.memcg_charged = (void *)acg_charged,
};
