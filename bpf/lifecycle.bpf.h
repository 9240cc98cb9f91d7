/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A task becomes runnable, runs, stops, sleeps, and comes and goes altogether.
 */
#ifndef ACG_LIFECYCLE_BPF_H
#define ACG_LIFECYCLE_BPF_H

static void counted(struct task_state *t, __u32 want)
{
	if (t->counted != want)
		node_count(t->node, want ? 1 : -1);
	t->counted = want;
}

SEC("struct_ops/acg_runnable")
void BPF_PROG(acg_runnable, struct task_struct *p, u64 enq_flags)
{
	struct task_state *t = state_of(p);

	if (!t)
		return;
	counted(t, 1);
	t->charged = p->se.sum_exec_runtime;
	if (enq_flags & ENQ_WAKEUP)
		t->woken_ns = bpf_ktime_get_ns();
}

/* It runs, or left the queue in some other way: whatever it waited for is over. */
static void waited(struct task_state *t, __u64 now)
{
	if (t->throttled_ns) {
		t->throttled_ns = 0;
		__sync_fetch_and_add(&throttled_tasks, -1);
		count(unthrottles);
	}
	if (t->held_ns)
		held(t, now);
}

SEC("struct_ops/acg_running")
void BPF_PROG(acg_running, struct task_struct *p)
{
	struct cpu_state *c = cpu_at(scx_bpf_task_cpu(p));
	struct task_state *t = state_of(p);
	__u64 now = bpf_ktime_get_ns();

	if (!t || !c)
		return;
	waited(t, now);
	if (t->woken_ns) {
		struct acg_scheduler *counts;
		__u32 zero = 0;

		counts = bpf_map_lookup_elem(&acg_scheduler, &zero);
		if (counts)
			counts->wait[latency_bucket(now - t->woken_ns)]++;
		t->woken_ns = 0;
	}
	t->charged = p->se.sum_exec_runtime;
	if (before(virtual_now, t->start))
		virtual_now = t->start;
	c->key = t->key;
	c->stretch = t->stretch;
	c->since = now;
	c->cost = t->cost;
	c->running = 1;
}

SEC("struct_ops/acg_stopping")
void BPF_PROG(acg_stopping, struct task_struct *p, bool runnable)
{
	struct cpu_state *c = cpu_at(scx_bpf_task_cpu(p));
	struct task_state *t = state_of(p);

	if (c)
		c->running = 0;
	if (!t)
		return;
	charge(p, t);
	if (!runnable) {
		t->expect = (t->expect ? (3 * t->expect + t->ran) / 4 : t->ran) ?: 1;
		t->ran = 0;
	}
}

SEC("struct_ops/acg_quiescent")
void BPF_PROG(acg_quiescent, struct task_struct *p, u64 deq_flags)
{
	struct task_state *t = state_of(p);

	if (!t)
		return;
	t->charged = p->se.sum_exec_runtime;
	charge(p, t); /* a place in the queue it never used */
	waited(t, bpf_ktime_get_ns());
	counted(t, 0);
}

SEC("struct_ops/acg_init_task")
s32 BPF_PROG(acg_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	struct task_state *t = bpf_task_storage_get(&acg_tasks, p, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!t)
		return -12; /* ENOMEM */
	t->node = node_of(args->cgroup);
	t->charged = p->se.sum_exec_runtime;
	return 0;
}

SEC("struct_ops/acg_exit_task")
void BPF_PROG(acg_exit_task, struct task_struct *p, struct scx_exit_task_args *args)
{
	forget(p);
}

#endif
