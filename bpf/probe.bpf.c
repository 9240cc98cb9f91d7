// SPDX-License-Identifier: GPL-2.0
/*
 * What this kernel lets a program do, found out by asking: each program here needs one thing and is loaded for the verifier's
 * answer, never attached. src/control/kernel/capability.ts names them.
 */
#include "vmlinux-min.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 << 10);
} ring SEC(".maps");

struct work {
	struct bpf_task_work work;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct work);
} works SEC(".maps");

extern struct mem_cgroup *bpf_get_mem_cgroup(struct cgroup_subsys_state *css) __ksym __weak;
extern unsigned long bpf_mem_cgroup_usage(struct mem_cgroup *memcg) __ksym __weak;
extern void bpf_put_mem_cgroup(struct mem_cgroup *memcg) __ksym __weak;
extern int bpf_task_work_schedule_resume(struct task_struct *task, struct bpf_task_work *work, void *map,
					 int (*callback)(struct bpf_map *map, void *key, void *value)) __ksym __weak;

SEC("tp_btf/sched_process_exec")
int BPF_PROG(tracing, struct task_struct *task)
{
	__u64 *word = bpf_ringbuf_reserve(&ring, sizeof(*word), 0);

	if (word) {
		*word = task->pid;
		bpf_ringbuf_submit(word, 0);
	}
	return 0;
}

SEC("iter/cgroup")
int cgroup_iterator(struct bpf_iter__cgroup *ctx)
{
	return 0;
}

SEC("fexit/page_counter_try_charge")
int BPF_PROG(charge_hook, struct page_counter *counter, unsigned long nr_pages, struct page_counter **fail, bool charged)
{
	return 0;
}

SEC("fentry/psi_memstall_enter")
int BPF_PROG(stall_hook, unsigned long *flags)
{
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(memcg_kfuncs, struct cgroup *cgrp, const char *path)
{
	struct mem_cgroup *memcg = bpf_get_mem_cgroup(&cgrp->self);

	if (memcg) {
		bpf_mem_cgroup_usage(memcg);
		bpf_put_mem_cgroup(memcg);
	}
	return 0;
}

static int done(struct bpf_map *map, void *key, void *value)
{
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(task_work, struct task_struct *task)
{
	__u32 zero = 0;
	struct work *slot = bpf_map_lookup_elem(&works, &zero);

	if (slot)
		bpf_task_work_schedule_resume(bpf_get_current_task_btf(), &slot->work, &works, done);
	return 0;
}
