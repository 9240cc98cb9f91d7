/* SPDX-License-Identifier: GPL-2.0 */
/* memory.bpf.c's protection: what a session uses now is spared from reclaim. Include after budget.bpf.h. */
#ifndef ACG_MEMORY_PROTECT_BPF_H
#define ACG_MEMORY_PROTECT_BPF_H

#define REFAULTING (2000 * MSEC) /* how long a refault counts: counters are brought up to date every two seconds */
#define COLD_SHIFT 3	   /* more than one eighth unused of late: reclaim has something to take without harm */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CALLS_MAX);
	__type(key, __u64);
	__type(value, struct acg_need);
} acg_needs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct acg_protection);
} acg_protection SEC(".maps");

/* Refaults of a cgroup when reclaim last asked about it, and when they were last seen to rise. Key: cgroup id. */
struct refaults {
	__u64 count;
	__u64 risen_ns;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, CALLS_MAX);
	__type(key, __u64);
	__type(value, struct refaults);
} acg_refaults SEC(".maps");

extern unsigned long bpf_mem_cgroup_page_state(struct mem_cgroup *memcg, int idx) __weak __ksym;

/* The session a cgroup belongs to: its needs, and its usage. */
static __always_inline struct acg_need *need_of(struct page_counter *counter, __u64 *usage)
{
	int i;

	bpf_for(i, 0, LEVELS_MAX) {
		struct mem_cgroup *memcg =
			bpf_core_cast((void *)counter - bpf_core_field_offset(struct mem_cgroup, memory), struct mem_cgroup);
		__u64 id = memcg->css.cgroup->kn->id;
		struct acg_need *need = bpf_map_lookup_elem(&acg_needs, &id);

		*usage = (__u64)memcg->memory.usage.counter * acg_page_size;
		if (need)
			return need;
		counter = memcg->memory.parent;
		if (!counter)
			break;
	}
	return NULL;
}

/* Whether pages that were taken from this cgroup have come back of late. */
static __always_inline bool refaulting(struct mem_cgroup *memcg, __u64 now, struct acg_protection *counts)
{
	__u64 id = memcg->css.cgroup->kn->id, count;
	struct refaults *seen = bpf_map_lookup_elem(&acg_refaults, &id), fresh = {};

	count = bpf_mem_cgroup_page_state(memcg, bpf_core_enum_value(enum node_stat_item, WORKINGSET_REFAULT_ANON)) +
		bpf_mem_cgroup_page_state(memcg, bpf_core_enum_value(enum node_stat_item, WORKINGSET_REFAULT_FILE));
	if (!seen) {
		fresh.count = count;
		bpf_map_update_elem(&acg_refaults, &id, &fresh, BPF_NOEXIST);
		return false;
	}
	if (count > seen->count) {
		seen->count = count;
		seen->risen_ns = now;
		counts->refaults++;
	}
	return seen->risen_ns && now - seen->risen_ns < REFAULTING;
}

/*
 * Whether a cgroup is to be spared: its session runs calls or it refaults, the session is within its bound, and what the
 * cgroup has is what it uses. What is that is the kernel's own estimate: pages it has not found used of late are inactive.
 */
static __always_inline struct acg_need *spared(struct mem_cgroup *memcg, unsigned long pages, struct acg_protection *counts)
{
	__u64 now = bpf_ktime_get_ns(), usage = 0, cold;
	struct acg_need *need = need_of(&memcg->memory, &usage);
	bool again;

	if (!need)
		return NULL;
	counts->asked++;
	again = refaulting(memcg, now, counts); /* first: it has to be looked at each time */
	if (!need->running && !again) {
		counts->idle++;
		return NULL;
	}
	if (usage > need->most) {
		counts->over++;
		return NULL;
	}
	cold = bpf_mem_cgroup_page_state(memcg, bpf_core_enum_value(enum node_stat_item, NR_INACTIVE_ANON)) +
	       bpf_mem_cgroup_page_state(memcg, bpf_core_enum_value(enum node_stat_item, NR_INACTIVE_FILE));
	if (cold > ((__u64)pages * acg_page_size) >> COLD_SHIFT) {
		counts->cold++;
		return NULL;
	}
	return need;
}

static __always_inline struct acg_protection *protection(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&acg_protection, &zero);
}

SEC("struct_ops/below_low")
bool BPF_PROG(acg_below_low, struct mem_cgroup *memcg, unsigned long elow, unsigned long usage)
{
	struct acg_protection *counts = protection();

	if (!counts || !spared(memcg, usage, counts))
		return false;
	counts->low++;
	return true;
}

/* Only the agent leaf of a high-priority session: all that must not be slow, and little enough that it cannot cause an OOM. */
SEC("struct_ops/below_min")
bool BPF_PROG(acg_below_min, struct mem_cgroup *memcg, unsigned long emin, unsigned long usage)
{
	struct acg_protection *counts = protection();
	struct acg_cgroup *whose = acg_lookup(memcg->css.cgroup);
	struct acg_need *need;

	if (!counts || !whose || whose->kind != ACG_KIND_AGENT)
		return false;
	need = spared(memcg, usage, counts);
	if (!need || need->priority != ACG_PRIORITY_HIGH)
		return false;
	counts->min++;
	return true;
}

#endif
