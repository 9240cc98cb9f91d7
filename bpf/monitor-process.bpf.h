/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Processes: fork, exec, exit, and what an agent starts outside the shim.
 */
#ifndef ACG_MONITOR_PROCESS_BPF_H
#define ACG_MONITOR_PROCESS_BPF_H

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

#endif
