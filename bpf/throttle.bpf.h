/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who waits for something other than its turn: for its cpu.max (bandwidth.bpf.h), or for a new place after weights changed.
 */
#ifndef ACG_THROTTLE_BPF_H
#define ACG_THROTTLE_BPF_H

static __u32 reweighed; /* 1: weights have changed since the queue was put in order */

static void out_of_budget(struct task_state *t, __u64 now)
{
	struct acg_node *node = node_at(t->node);

	if (t->throttled_ns)
		return;
	t->throttled_ns = now;
	__sync_fetch_and_add(&throttled_tasks, 1);
	count(throttles);
	if (node)
		__sync_fetch_and_add(&node->throttled, 1);
}

/* Makes it wait for its cpu.max; false: there is no way to wake it later, so let it run. */
static bool throttle(struct task_struct *p, struct task_state *t, u64 enq_flags, __u64 now)
{
	struct alarm *alarm;
	__u32 zero = 0;

	alarm = bpf_map_lookup_elem(&bandwidth_alarm, &zero);
	if (!alarm)
		return false;
	out_of_budget(t, now); /* first: the alarm sets itself again while anybody is */
	if (!alarm_set(alarm, t->key, 0))
		return false;
	insert(p, DSQ_THROTTLED, t->slice, t->key, enq_flags);
	return true;
}

/* Weights have changed: who was put far back for a small one must not wait that long. */
static void reweighed_all(void)
{
	struct alarm *alarm;
	__u32 zero = 0;

	reweighed = 1;
	alarm = bpf_map_lookup_elem(&bandwidth_alarm, &zero);
	if (alarm)
		alarm_set(alarm, bpf_ktime_get_ns(), 0);
}

/* Takes all who wait for their turn out of a queue, to be given new places: those who can be, as in throttle(). */
static void take_out(__u64 dsq, __u64 now)
{
	struct task_struct *p;

	bpf_for_each(scx_dsq, p, dsq, 0) {
		struct task_state *t = state_of(p);

		if (!t || p->migration_disabled) /* in the governor's callback, which it has to leave first */
			continue;
		scx_bpf_dsq_move_set_vtime(&___it, now);
		if (scx_bpf_dsq_move_vtime(&___it, p, DSQ_THROTTLED, 0))
			unbook(t);
	}
}

static int look_at_throttled(void *map, __u32 *key, struct alarm *alarm)
{
	__u64 now = bpf_ktime_get_ns(), next = now + LOOK_MAX;
	__u32 released = 0, cpu;
	struct task_struct *p;

	alarm->at = 0;
	bpf_rcu_read_lock();
	if (__sync_lock_test_and_set(&reweighed, 0)) {
		take_out(DSQ_SHARED, now);
		bpf_for(cpu, 0, cpus)
			take_out(DSQ_PINNED + cpu, now);
	}
	bpf_for_each(scx_dsq, p, DSQ_THROTTLED, 0) {
		struct task_state *t = state_of(p);
		__u64 dsq = DSQ_SHARED;

		if (!t)
			continue;
		if (before(now, p->scx.dsq_vtime)) {
			if (before(p->scx.dsq_vtime, next))
				next = p->scx.dsq_vtime;
			break;
		}
		if (t->throttled_ns && released >= 2 * cpus) { /* no herd: the first ones may use the budget up */
			if (before(now + LOOK_MIN, next))
				next = now + LOOK_MIN;
			continue;
		}
		if (!quote(p, t, now)) {
			out_of_budget(t, now);
			if (before(t->key, next))
				next = t->key;
			continue;
		}
		if (p->nr_cpus_allowed == 1 || p->migration_disabled)
			dsq = DSQ_PINNED + scx_bpf_task_cpu(p);
		book(t);
		scx_bpf_dsq_move_set_vtime(&___it, t->key);
		if (scx_bpf_dsq_move_vtime(&___it, p, dsq, 0)) {
			s32 idle = dsq == DSQ_SHARED ? scx_bpf_pick_idle_cpu(p->cpus_ptr, 0) : scx_bpf_task_cpu(p);

			released += !!t->throttled_ns;
			if (idle >= 0)
				scx_bpf_kick_cpu(idle, KICK_IDLE);
		}
	}
	bpf_rcu_read_unlock();
	if (*(volatile __s32 *)&throttled_tasks > 0 || scx_bpf_dsq_nr_queued(DSQ_THROTTLED) > 0)
		alarm_set(alarm, next, 0);
	return 0;
}

#endif
