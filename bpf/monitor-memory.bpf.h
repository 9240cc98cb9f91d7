/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory: usage and growth at the charge, samples of it, OOM victims.
 */
#ifndef ACG_MONITOR_MEMORY_BPF_H
#define ACG_MONITOR_MEMORY_BPF_H

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

/* The cgroup a charge counts for, and the memcg of its leaf (NULL if that has none); NULL for what is not ours. */
static __always_inline struct acg_cgroup *charged(struct page_counter *counter, struct mem_cgroup **memcg)
{
	struct acg_cgroup *whose;
	struct cgroup *cgrp;

	*memcg = acg_memcg_of(counter, &cgrp);
	if (!*memcg)
		return NULL;
	whose = acg_lookup(cgrp);
	if (!whose || !whose->leaf)
		return NULL;
	*memcg = leaf_memcg(*memcg, cgrp, whose->leaf);
	return whose;
}

/* Once per batch of 64 pages, not once per page: the cheapest place that knows the exact usage. */
SEC("fexit/page_counter_try_charge")
int BPF_PROG(charge, struct page_counter *counter, unsigned long nr_pages, struct page_counter **fail, bool done)
{
	struct mem_cgroup *memcg;
	struct acg_cgroup *whose = charged(counter, &memcg);
	struct acg_counts *counts;

	if (!whose)
		return 0;
	counts = counts_of(whose->leaf);
	if (!done) {
		count(counts, charge_fails, 1);
		return 0;
	}
	count(counts, charges, 1);
	count(counts, charged_bytes, nr_pages * acg_page_size);
	if (memcg)
		sample(memcg, whose, counts);
	return 0;
}

/* The way down of a burst. */
SEC("fexit/page_counter_uncharge")
int BPF_PROG(uncharge, struct page_counter *counter, unsigned long nr_pages)
{
	struct mem_cgroup *memcg;
	struct acg_cgroup *whose = charged(counter, &memcg);
	struct acg_counts *counts;

	if (!whose)
		return 0;
	counts = counts_of(whose->leaf);
	count(counts, uncharged_bytes, nr_pages * acg_page_size);
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

#endif
