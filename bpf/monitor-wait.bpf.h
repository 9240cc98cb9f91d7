/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Waiting for memory: reclaim, and stalls as PSI defines them.
 */
#ifndef ACG_MONITOR_WAIT_BPF_H
#define ACG_MONITOR_WAIT_BPF_H

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

#endif
