/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every program shares: the maps pinned once for all of them, and the two things everybody does with them, look up
 * whose cgroup this is and send an event. Include after vmlinux-min.h.
 */
#ifndef ACG_SHARED_BPF_H
#define ACG_SHARED_BPF_H

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "agentcgroup.h"

char LICENSE[] SEC("license") = "GPL";

#define MSEC 1000000ULL

static __always_inline bool before(__u64 a, __u64 b)
{
	return (__s64)(a - b) < 0;
}

/* 4 KiB on x86; set by the loader. */
const volatile __u64 acg_page_size = 4096;

/* Whose cgroup an id is. Not preallocated: a node may have 16384 live cgroups or three. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct acg_cgroup);
} acg_cgroups SEC(".maps");

/* Size set by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} acg_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ACG_EVENT_TYPES);
	__type(key, __u32);
	__type(value, __u64);
} acg_lost SEC(".maps");

/* Nothing is in the map unless it is ours, so this is the filter to our tree as well. */
static __always_inline struct acg_cgroup *acg_lookup(struct cgroup *cgrp)
{
	__u64 id = BPF_CORE_READ(cgrp, kn, id);
	struct acg_cgroup *entry = bpf_map_lookup_elem(&acg_cgroups, &id);

	/* rmdir deletes the entry, but a removal may have been missed while no program was attached */
	if (!entry || entry->serial != BPF_CORE_READ(cgrp, self.serial_nr))
		return NULL;
	return entry;
}

static __always_inline struct acg_cgroup *acg_lookup_task(struct task_struct *task)
{
	return acg_lookup(BPF_CORE_READ(task, cgroups, dfl_cgrp));
}

/*
 * The memcg of a page_counter passed to a charge function, or NULL if that counter is another kind (swap, kmem, hugetlb):
 * only where container_of() guessed right does the cgroup's memory state lead back to where we came from.
 */
static __always_inline struct mem_cgroup *acg_memcg_of(struct page_counter *counter, struct cgroup **cgrp)
{
	struct mem_cgroup *memcg = (void *)counter - bpf_core_field_offset(struct mem_cgroup, memory);
	struct cgroup *owner = BPF_CORE_READ(memcg, css.cgroup);
	__u32 memory = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	struct cgroup_subsys_state **slot, *css = NULL;

	slot = (void *)owner + bpf_core_field_offset(struct cgroup, subsys) + memory * sizeof(css);
	bpf_probe_read_kernel(&css, sizeof(css), slot);
	if (!owner || (void *)css != (void *)memcg)
		return NULL;
	*cgrp = owner;
	return memcg;
}

static __always_inline void acg_count_lost(__u32 type)
{
	__u64 *lost = bpf_map_lookup_elem(&acg_lost, &type);

	if (lost)
		__sync_fetch_and_add(lost, 1);
}

static __always_inline void acg_head(struct acg_event *head, __u32 type, const struct acg_cgroup *whose, __u32 pid)
{
	head->time_ns = bpf_ktime_get_ns();
	head->tenant = whose->tenant;
	head->session = whose->session;
	head->leaf = whose->leaf;
	head->type = type;
	head->kind = whose->kind;
	head->pid = pid;
	head->cpu = bpf_get_smp_processor_id();
}

/*
 * Room for one event in the ring, its head filled in; NULL (and counted) when the ring is full. Submit with
 * bpf_ringbuf_submit(event, 0).
 */
#define acg_reserve(struct_type, type, whose, pid)                                                   \
	({                                                                                           \
		struct_type *__event = bpf_ringbuf_reserve(&acg_events, sizeof(struct_type), 0);     \
		if (__event)                                                                         \
			acg_head(&__event->head, type, whose, pid);                                  \
		else                                                                                 \
			acg_count_lost(type);                                                        \
		__event;                                                                             \
	})

#endif
