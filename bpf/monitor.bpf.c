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

/* ---- the tree ---- */

static __always_inline bool starts_with(const char *name, const char *prefix, int length)
{
	for (int i = 0; i < length; i++)
		if (name[i] != prefix[i])
			return false;
	return true;
}
#define named(name, prefix) starts_with(name, prefix, sizeof(prefix) - 1)

/* Gives the cgroup its place below its parent's; what is not shaped like our tree stays unknown. */
static __always_inline int place(struct cgroup *cgrp)
{
	struct acg_cgroup entry = {}, *parent;
	__u64 id = BPF_CORE_READ(cgrp, kn, id);
	char name[16] = {};

	parent = acg_lookup(BPF_CORE_READ(cgrp, self.parent, cgroup));
	if (!parent)
		return 0;
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(cgrp, kn, name));
	entry.tenant = parent->tenant;
	entry.session = parent->session;
	entry.leaf = parent->leaf;
	entry.serial = BPF_CORE_READ(cgrp, self.serial_nr);
	entry.level = BPF_CORE_READ(cgrp, level);
	if (parent->kind == ACG_KIND_ROOT && named(name, "tenant-")) {
		entry.kind = ACG_KIND_TENANT;
		entry.tenant = id;
	} else if (parent->kind == ACG_KIND_TENANT && named(name, "session-")) {
		entry.kind = ACG_KIND_SESSION;
		entry.session = id;
	} else if (parent->kind == ACG_KIND_SESSION && starts_with(name, "agent", 6)) {
		entry.kind = ACG_KIND_AGENT;
		entry.leaf = id;
	} else if (parent->kind == ACG_KIND_SESSION && named(name, "tool-")) {
		entry.kind = ACG_KIND_CALL;
		entry.leaf = id;
	} else if (parent->leaf) {
		entry.kind = ACG_KIND_NESTED;
	} else {
		return 0;
	}
	if (bpf_map_update_elem(&acg_cgroups, &id, &entry, BPF_ANY))
		acg_count_lost(ACG_LOST_CGROUP);
	return 0;
}

/* Before anybody can see the new directory. */
SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_made, struct cgroup *cgrp, const char *path)
{
	return place(cgrp);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(cgroup_removed, struct cgroup *cgrp, const char *path)
{
	__u64 id = BPF_CORE_READ(cgrp, kn, id);

	if (!acg_lookup(cgrp))
		return 0;
	bpf_map_delete_elem(&acg_cgroups, &id);
	bpf_map_delete_elem(&acg_usage, &id);
	bpf_map_delete_elem(&acg_counts, &id);
	bpf_map_delete_elem(&acg_agents, &id);
	return 0;
}

/* Run once by user space over the root and all that exists below it, parents first. */
SEC("iter/cgroup")
int place_existing(struct bpf_iter__cgroup *ctx)
{
	struct cgroup *cgrp = ctx->cgroup;
	__u64 id;

	if (!cgrp)
		return 0;
	if (ctx->meta->seq_num == 0) {
		struct acg_cgroup root = {
			.kind = ACG_KIND_ROOT,
			.serial = BPF_CORE_READ(cgrp, self.serial_nr),
			.level = BPF_CORE_READ(cgrp, level),
		};

		id = BPF_CORE_READ(cgrp, kn, id);
		bpf_map_update_elem(&acg_cgroups, &id, &root, BPF_ANY);
		return 0;
	}
	return place(cgrp);
}

/* ---- processes ---- */

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	struct acg_cgroup *whose = acg_lookup_task(child);
	struct acg_counts *counts;
	struct acg_event_fork *event;

	if (!whose || !whose->leaf)
		return 0;
	counts = counts_of(whose->leaf);
	if (child->pid != child->tgid) {
		count(counts, threads, 1);
		return 0;
	}
	count(counts, forks, 1);
	event = acg_reserve(struct acg_event_fork, ACG_EVENT_FORK, whose, parent->tgid);
	if (!event)
		return 0;
	event->child = child->tgid;
	event->zero = 0;
	__builtin_memcpy(event->comm, child->comm, ACG_COMM_LEN);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* Did the agent itself start this, and not our shim? Asked for an exec in an agent leaf. */
static __always_inline bool started_outside(struct task_struct *task, const struct acg_cgroup *whose, struct acg_exe *exe)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);
	struct acg_agent *agent = bpf_map_lookup_elem(&acg_agents, &whose->leaf);
	pid_t main_pid = agent ? agent->main_pid : 0;

	if (task->tgid == main_pid || bpf_map_lookup_elem(&acg_exempt, exe))
		return false;
	if (main_pid)
		return BPF_CORE_READ(parent, tgid) == main_pid;
	/* nobody said which process is the agent: then any of the leaf may be, and its first came from elsewhere */
	struct acg_cgroup *from = acg_lookup_task(parent);

	return from && from->leaf == whose->leaf;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct acg_cgroup *whose = acg_lookup_task(task);
	struct acg_event_exec *event;
	struct acg_counts *counts;
	struct inode *inode;
	__u64 start, length;
	__u32 zero = 0;

	if (!whose || !whose->leaf)
		return 0;
	event = bpf_map_lookup_elem(&acg_scratch, &zero);
	if (!event)
		return 0;
	acg_head(&event->head, ACG_EVENT_EXEC, whose, task->tgid);
	inode = BPF_CORE_READ(task, mm, exe_file, f_inode);
	event->exe.dev = BPF_CORE_READ(inode, i_sb, s_dev);
	event->exe.ino = BPF_CORE_READ(inode, i_ino);
	event->ppid = BPF_CORE_READ(task, real_parent, tgid);
	__builtin_memcpy(event->comm, task->comm, ACG_COMM_LEN);
	start = BPF_CORE_READ(task, mm, arg_start);
	length = BPF_CORE_READ(task, mm, arg_end) - start;
	event->args_total = length;
	if (length > ACG_ARGS_MAX)
		length = ACG_ARGS_MAX;
	/* the new image's stack was written a moment ago: resident, so reading needs no page fault */
	if (bpf_probe_read_user(event->args, length, (void *)start))
		length = 0;
	event->args_len = length;

	counts = counts_of(whose->leaf);
	count(counts, execs, 1);
	if (whose->kind == ACG_KIND_AGENT && started_outside(task, whose, &event->exe)) {
		event->head.type = ACG_EVENT_OUTSIDE;
		count(counts, outside, 1);
	}
	length += offsetof(struct acg_event_exec, args);
	if (length <= sizeof(*event) && bpf_ringbuf_output(&acg_events, event, length, 0))
		acg_count_lost(event->head.type);
	return 0;
}

/* A macro: CO-RE finds an array's element in the running kernel only by a constant index. */
#define resident(mm, what)                                                          \
	({                                                                          \
		__s64 __pages = BPF_CORE_READ(mm, rss_stat[what].count);            \
		__pages > 0 ? __pages * acg_page_size : 0;                          \
	})

/* The highest RSS of this image: ru_maxrss would still remember the parent from before the exec. */
static __always_inline __u64 peak_rss(struct mm_struct *mm)
{
	__u64 now = resident(mm, MM_FILEPAGES) + resident(mm, MM_ANONPAGES) + resident(mm, MM_SHMEMPAGES);
	__u64 high = BPF_CORE_READ(mm, hiwater_rss) * acg_page_size;

	return now > high ? now : high;
}

static __always_inline void raise(__u64 *to, __u64 value)
{
	for (int i = 0; i < 8; i++) {
		__u64 old = *(volatile __u64 *)to;

		if (old >= value || __sync_val_compare_and_swap(to, old, value) == old)
			return;
	}
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task, bool last_thread)
{
	struct acg_cgroup *whose = acg_lookup_task(task);
	struct task_struct *leader;
	struct acg_event_exit *event;
	struct acg_counts *counts;
	struct acg_usage *usage;
	__u64 peak;

	if (!whose || !whose->leaf)
		return 0;
	counts = counts_of(whose->leaf);
	count(counts, run_delay_ns, task->sched_info.run_delay);
	if (!last_thread)
		return 0;
	count(counts, exits, 1);
	peak = task->mm ? peak_rss(task->mm) : 0;
	usage = bpf_map_lookup_elem(&acg_usage, &whose->leaf);
	if (usage)
		raise(&usage->peak_process, peak >> 10 << 32 | task->tgid);
	event = acg_reserve(struct acg_event_exit, ACG_EVENT_EXIT, whose, task->tgid);
	if (!event)
		return 0;
	leader = task->group_leader;
	event->status = task->exit_code & 0xffff;
	event->oom = task->signal->oom_mm != NULL;
	event->start_ns = leader->start_time;
	event->peak_rss = peak;
	event->user_ns = task->signal->utime + task->utime;
	event->system_ns = task->signal->stime + task->stime;
	if (leader != task) {
		/* a leader that went first is not in the process's sum yet */
		event->user_ns += leader->utime;
		event->system_ns += leader->stime;
	}
	event->run_delay_ns = task->sched_info.run_delay;
	__builtin_memcpy(event->comm, leader->comm, ACG_COMM_LEN);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* ---- memory ---- */

static __always_inline struct acg_usage *usage_of(__u64 leaf)
{
	static const struct acg_usage none;
	struct acg_usage *usage = bpf_map_lookup_elem(&acg_usage, &leaf);

	if (usage)
		return usage;
	bpf_map_update_elem(&acg_usage, &leaf, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&acg_usage, &leaf);
}

/* Cgroups that a call makes inside itself may have the memory controller: their charges are the call's. */
static __always_inline struct mem_cgroup *leaf_memcg(struct mem_cgroup *memcg, struct cgroup *cgrp, __u64 leaf)
{
	for (int depth = 0; depth < 8; depth++) {
		if (BPF_CORE_READ(cgrp, kn, id) == leaf)
			return memcg;
		memcg = (void *)BPF_CORE_READ(memcg, css.parent);
		cgrp = BPF_CORE_READ(memcg, css.cgroup);
	}
	return NULL;
}

static __always_inline __u64 bytes_of(struct mem_cgroup *memcg)
{
	return BPF_CORE_READ(memcg, memory.usage.counter) * acg_page_size;
}

static __always_inline void sample(struct mem_cgroup *memcg, struct acg_cgroup *whose, struct acg_counts *counts)
{
	struct acg_usage *usage = usage_of(whose->leaf);
	__u64 now, last, before, bytes, moved, gap;
	struct acg_event_sample *event;

	if (!usage)
		return;
	bytes = bytes_of(memcg);
	usage->usage = bytes;
	raise(&usage->peak, bytes);
	now = bpf_ktime_get_ns();
	last = usage->sampled_ns;
	before = usage->sampled_usage;
	moved = bytes > before ? bytes - before : before - bytes;
	/* another CPU may have sampled after we looked at the clock */
	gap = now > last ? now - last : 0;
	if (gap < acg_sample_gap_ns || (moved < acg_sample_step && gap < acg_sample_idle_ns))
		return;
	/* many CPUs may come here at once: one of them sends */
	if (__sync_val_compare_and_swap(&usage->sampled_ns, last, now) != last)
		return;
	usage->sampled_usage = bytes;
	usage->session_usage = bytes_of((void *)BPF_CORE_READ(memcg, css.parent));
	/* per microsecond first: a full memory would overflow 64 bits in bytes times nanoseconds */
	usage->growth = last ? (__s64)(moved * 1000000 / (gap / 1000)) : 0;
	if (bytes < before)
		usage->growth = -usage->growth;
	count(counts, samples, 1);
	event = acg_reserve(struct acg_event_sample, ACG_EVENT_SAMPLE, whose, bpf_get_current_pid_tgid() >> 32);
	if (!event)
		return;
	event->usage = bytes;
	event->session_usage = usage->session_usage;
	event->growth = usage->growth;
	event->since_ns = last ? gap : 0;
	bpf_ringbuf_submit(event, 0);
}

/* Once per batch of 64 pages, not once per page: the cheapest place that knows the exact usage. */
SEC("fexit/page_counter_try_charge")
int BPF_PROG(charge, struct page_counter *counter, unsigned long nr_pages, struct page_counter **fail, bool charged)
{
	struct cgroup *cgrp;
	struct mem_cgroup *memcg = acg_memcg_of(counter, &cgrp);
	struct acg_counts *counts;
	struct acg_cgroup *whose;

	if (!memcg)
		return 0;
	whose = acg_lookup(cgrp);
	if (!whose || !whose->leaf)
		return 0;
	counts = counts_of(whose->leaf);
	if (!charged) {
		count(counts, charge_fails, 1);
		return 0;
	}
	count(counts, charges, 1);
	count(counts, charged_bytes, nr_pages * acg_page_size);
	memcg = leaf_memcg(memcg, cgrp, whose->leaf);
	if (memcg)
		sample(memcg, whose, counts);
	return 0;
}

/* The way down of a burst. */
SEC("fexit/page_counter_uncharge")
int BPF_PROG(uncharge, struct page_counter *counter, unsigned long nr_pages)
{
	struct cgroup *cgrp;
	struct mem_cgroup *memcg = acg_memcg_of(counter, &cgrp);
	struct acg_counts *counts;
	struct acg_cgroup *whose;

	if (!memcg)
		return 0;
	whose = acg_lookup(cgrp);
	if (!whose || !whose->leaf)
		return 0;
	counts = counts_of(whose->leaf);
	count(counts, uncharged_bytes, nr_pages * acg_page_size);
	memcg = leaf_memcg(memcg, cgrp, whose->leaf);
	if (memcg)
		sample(memcg, whose, counts);
	return 0;
}

SEC("tp_btf/mark_victim")
int BPF_PROG(oom_victim, struct task_struct *task, uid_t uid)
{
	struct acg_cgroup *whose = acg_lookup_task(task);
	struct acg_event_oom *event;
	struct acg_usage *usage;
	struct mm_struct *mm;

	if (!whose || !whose->leaf)
		return 0;
	usage = usage_of(whose->leaf);
	if (usage)
		__sync_fetch_and_add(&usage->ooms, 1);
	event = acg_reserve(struct acg_event_oom, ACG_EVENT_OOM, whose, task->tgid);
	if (!event)
		return 0;
	mm = BPF_CORE_READ(task, signal, oom_mm);
	event->file = resident(mm, MM_FILEPAGES);
	event->anon = resident(mm, MM_ANONPAGES);
	event->swap = resident(mm, MM_SWAPENTS);
	event->shmem = resident(mm, MM_SHMEMPAGES);
	__builtin_memcpy(event->comm, task->comm, ACG_COMM_LEN);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* ---- waiting ---- */

/* The current task's entry, if it is one of ours. */
static __always_inline struct acg_waits *waits_of(struct task_struct *task, struct acg_cgroup **whose)
{
	*whose = acg_lookup_task(task);
	if (!*whose || !(*whose)->leaf)
		return NULL;
	return bpf_task_storage_get(&acg_waits, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int BPF_PROG(reclaim_begin)
{
	struct acg_cgroup *whose;
	struct acg_waits *waits = waits_of(bpf_get_current_task_btf(), &whose);

	if (waits)
		waits->reclaim_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int BPF_PROG(reclaim_end, unsigned long nr_reclaimed)
{
	struct acg_counts *counts;
	struct acg_cgroup *whose;
	struct acg_waits *waits = waits_of(bpf_get_current_task_btf(), &whose);

	if (!waits || !waits->reclaim_ns)
		return 0;
	counts = counts_of(whose->leaf);
	count(counts, reclaims, 1);
	count(counts, reclaim_ns, bpf_ktime_get_ns() - waits->reclaim_ns);
	count(counts, reclaimed_pages, nr_reclaimed);
	waits->reclaim_ns = 0;
	return 0;
}

/* PSI's own two marks. Sections nest; the outermost one is the stall. */
SEC("fentry/psi_memstall_enter")
int BPF_PROG(stall_enter, unsigned long *flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct acg_cgroup *whose;
	struct acg_waits *waits;

	if (BPF_CORE_READ_BITFIELD(task, in_memstall))
		return 0;
	waits = waits_of(task, &whose);
	if (waits)
		waits->stall_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("fexit/psi_memstall_leave")
int BPF_PROG(stall_leave, unsigned long *flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct acg_counts *counts;
	struct acg_cgroup *whose;
	struct acg_waits *waits;

	if (BPF_CORE_READ_BITFIELD(task, in_memstall))
		return 0;
	waits = waits_of(task, &whose);
	if (!waits || !waits->stall_ns)
		return 0;
	counts = counts_of(whose->leaf);
	count(counts, stalls, 1);
	count(counts, stall_ns, bpf_ktime_get_ns() - waits->stall_ns);
	waits->stall_ns = 0;
	return 0;
}
