// SPDX-License-Identifier: GPL-2.0
/*
 * The policy of the AgentCgroup paper (arXiv 2602.09345), to be compared with, on the operations of kernel/patches: while a
 * high-priority session faults faster than a threshold, and for a second after, each batch that is charged to a low-priority
 * one is delayed by a fixed time, and reclaim passes over the high one. Written from its description.
 */
#include "vmlinux-min.h"
#include "memcg-ops.bpf.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "agentcgroup.h"

char LICENSE[] SEC("license") = "GPL";

#define SECOND 1000000000ULL
#define SESSIONS_MAX 4096

/* Page faults of high-priority sessions in a second above which they show pressure; and how long a charge is delayed then. */
const volatile __u64 acg_faults = 10000;
const volatile __u32 acg_delay_ms = 50;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SESSIONS_MAX);
	__type(key, __u64);
	__type(value, __u32);
} acg_paper_roles SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct acg_paper);
} acg_paper SEC(".maps");

static __always_inline struct acg_paper *paper(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&acg_paper, &zero);
}

static __always_inline bool is(struct mem_cgroup *memcg, __u32 priority)
{
	__u64 id = BPF_CORE_READ(memcg, css.cgroup, kn, id);
	__u32 *role = bpf_map_lookup_elem(&acg_paper_roles, &id);

	return role && *role == priority;
}

/* Whether a high-priority session has shown pressure within a second. */
static __always_inline bool pressure(const struct acg_paper *seen)
{
	return seen->shown_ns && bpf_ktime_get_ns() - seen->shown_ns < SECOND;
}

SEC("tp_btf/count_memcg_events")
int BPF_PROG(acg_paper_faults, struct mem_cgroup *memcg, int item, unsigned long count)
{
	struct acg_paper *seen = paper();
	__u64 now;

	if (item != (int)bpf_core_enum_value(enum vm_event_item, PGFAULT) || !seen || !is(memcg, ACG_PRIORITY_HIGH))
		return 0;
	now = bpf_ktime_get_ns();
	if (now - seen->window_ns >= SECOND) {
		seen->window_ns = now;
		seen->faults = 0;
	}
	if (__sync_fetch_and_add(&seen->faults, count) + count > acg_faults) {
		seen->shown_ns = seen->window_ns = now;
		seen->faults = 0;
		__sync_fetch_and_add(&seen->shown, 1);
	}
	return 0;
}

SEC("struct_ops/memcg_charged")
unsigned int BPF_PROG(acg_paper_charged, struct mem_cgroup *memcg, unsigned int pages)
{
	struct acg_paper *seen = paper();

	if (!seen || !pressure(seen) || !is(memcg, ACG_PRIORITY_LOW))
		return 0;
	__sync_fetch_and_add(&seen->delays, 1);
	return acg_delay_ms;
}

SEC("struct_ops/below_low")
bool BPF_PROG(acg_paper_below_low, struct mem_cgroup *memcg, unsigned long elow, unsigned long usage)
{
	struct acg_paper *seen = paper();

	if (!seen || !pressure(seen) || !is(memcg, ACG_PRIORITY_HIGH))
		return false;
	__sync_fetch_and_add(&seen->spared, 1);
	return true;
}

SEC(".struct_ops.link")
struct memcg_bpf_ops acg_paper_memory = {
	.below_low = (void *)acg_paper_below_low,
	.memcg_charged = (void *)acg_paper_charged,
};
