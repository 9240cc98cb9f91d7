/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the scheduler knows about each task and each CPU, and what it tells user space.
 */
#ifndef ACG_TASK_BPF_H
#define ACG_TASK_BPF_H

#define CPUS_MAX 1024
#define PREEMPT_MARGIN (MSEC / 2) /* virtual time a newcomer must be ahead of who is running */
#define PREEMPT_SCAN 64		  /* CPUs looked at for a victim */

enum {
	DSQ_SHARED = 1,
	DSQ_THROTTLED = 2,
	DSQ_PINNED = 1 << 20, /* + CPU: can run there only */
	DSQ_HELD = 1 << 21,   /* + CPU: held by the governor, ordered by release time */
};

enum place { PLACE_QUEUE, PLACE_IDLE, PLACE_PREEMPT };

struct task_state {
	__u32 node;
	__u32 counted;		/* 1: in node.own */
	__u64 charged;		/* se.sum_exec_runtime at the last charge */
	__u64 start;		/* virtual time its stretch starts at, */
	__u64 cost;		/* at this many virtual ns per ns (node_start), */
	__u64 stretch;		/* how much of it that takes, */
	__u64 key;		/* where that puts it in the queue, */
	__u64 reserved;		/* and the part of the node's account that is its */
	__u64 ran;		/* ns since it slept last */
	__u64 expect;		/* ns it runs between two sleeps, exponential average; 0: not known yet */
	__u64 woken_ns;
	__u64 throttled_ns;	/* waiting for cpu.max since; 0: not */
	__u64 slice;		/* the same for the running or next stretch */
	__u32 place;		/* what select_cpu decided, for enqueue */
	__u32 quoted;		/* 1: start, key and slice are fresh from select_cpu */
	/* the governor's */
	__u64 levels[4];	/* ids of the cgroups whose budgets count, the call first; level_count of them */
	__u64 over_ns;		/* went over budget at; 0: nothing pending */
	__u64 due_ns;		/* may go on from then on, as far as its budgets are concerned; 0: not known yet */
	__u64 guard_ns;		/* stopped by the guard until then at most; 0: not yet */
	__u64 until_ns;		/* held until */
	__u64 held_ns;		/* held since; 0: not */
	__u32 park;		/* 1: in the callback and to be held at the next enqueue */
	__u32 rearmed;		/* held before since it went over */
	__u32 reason;		/* enum acg_release, set by who releases */
	__u32 victim;		/* chosen by the OOM killer */
	__u32 cpu;		/* whose queue it is held in */
	__u32 guarded;		/* 1: of low priority and below the guard's cgroup */
	__u32 level_count;
	__u32 priority;		/* enum acg_priority of the call */
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_state);
} acg_tasks SEC(".maps");

/* What runs on each CPU, for those who look for one to preempt. */
struct cpu_state {
	__u64 key;		/* of the running task, */
	__u64 stretch;		/* its stretch, both virtual, */
	__u64 since;		/* and when it began to run */
	__u64 cost;
	__u32 running;		/* 1: one of ours */
	__u32 leaving;		/* 1: going offline, hold nobody here */
	__u32 zero;
	__s32 callbacks;	/* tasks in the governor's callback here, held or about to be */
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CPUS_MAX);
	__type(key, __u32);
	__type(value, struct cpu_state);
} acg_cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct acg_scheduler);
} acg_scheduler SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct acg_scheduler_state);
} acg_scheduler_state SEC(".maps");

static __always_inline struct task_state *state_of(struct task_struct *p)
{
	return bpf_task_storage_get(&acg_tasks, p, 0, 0);
}

static __always_inline struct cpu_state *cpu_at(__u32 cpu)
{
	return bpf_map_lookup_elem(&acg_cpus, &cpu);
}

#define count(field)                                                                        \
	do {                                                                                \
		__u32 __zero = 0;                                                           \
		struct acg_scheduler *__counts = bpf_map_lookup_elem(&acg_scheduler, &__zero); \
		if (__counts)                                                               \
			__counts->field++;                                                  \
	} while (0)

static __always_inline __u32 latency_bucket(__u64 ns)
{
	__u32 bucket = 0;

	for (int shift = 16; shift; shift >>= 1)
		if (ns >> shift) {
			ns >>= shift;
			bucket += shift;
		}
	return bucket & (ACG_LATENCY_BUCKETS - 1);
}

#endif
