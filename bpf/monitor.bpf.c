// SPDX-License-Identifier: GPL-2.0
/*
 * Who does what: processes, memory, stalls and OOM kills of every session, attributed to its call (or agent leaf) by cgroup.
 * Everything is filtered to our tree in the kernel. What is only counted goes to per-CPU counters; what someone must see goes to
 * the ring buffer. This program observes: it changes nothing and refuses nothing.
 */
#include "vmlinux-min.h"
#include "shared.bpf.h"

#define MIB (1ULL << 20)
#define MSEC 1000000ULL
#define SEC_NS 1000000000ULL

/* A sample is sent when usage moved this far and the last one is this old, or at the next change after SAMPLE_IDLE_NS. */
const volatile __u64 acg_sample_step = 1 * MIB;
const volatile __u64 acg_sample_gap_ns = 10 * MSEC;
const volatile __u64 acg_sample_idle_ns = 1 * SEC_NS;

/* Brings the layouts of what only travels through the ring into this object's BTF, where the loader checks them. */
union acg_travels {
	struct acg_event_fork fork;
	struct acg_event_exec exec;
	struct acg_event_exit exit;
	struct acg_event_sample sample;
	struct acg_event_oom oom;
};
union acg_travels *const volatile acg_travels = NULL;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct acg_usage);
} acg_usage SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct acg_counts);
} acg_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct acg_agent);
} acg_agents SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct acg_exe);
	__type(value, __u32);
} acg_exempt SEC(".maps");

/* Since when a task has been reclaiming, or waiting for memory; 0: it is not. */
struct acg_waits {
	__u64 reclaim_ns;
	__u64 stall_ns;
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct acg_waits);
} acg_waits SEC(".maps");

/* An exec event is too large for the stack, and most are too short to reserve its full size in the ring. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct acg_event_exec);
} acg_scratch SEC(".maps");

static __always_inline struct acg_counts *counts_of(__u64 leaf)
{
	static const struct acg_counts none;
	struct acg_counts *counts = bpf_map_lookup_elem(&acg_counts, &leaf);

	if (counts)
		return counts;
	bpf_map_update_elem(&acg_counts, &leaf, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&acg_counts, &leaf);
}

/* This CPU's counter; another program may have interrupted the addition on this CPU, hence atomic. */
#define count(counts, field, n)                                            \
	do {                                                               \
		if (counts)                                                \
			__sync_fetch_and_add(&(counts)->field, (__u64)(n)); \
	} while (0)

#include "monitor-tree.bpf.h"
#include "monitor-process.bpf.h"
#include "monitor-memory.bpf.h"
#include "monitor-wait.bpf.h"
