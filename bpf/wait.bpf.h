/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For how long a task that went over a budget is kept from going on, by the budgets above it and by the headroom guard; and
 * what forbids to keep it.
 */
#ifndef ACG_WAIT_BPF_H
#define ACG_WAIT_BPF_H

#include "budget.bpf.h"

#define GUARD_LOOK (20 * MSEC)	/* how often who was stopped by the guard looks whether headroom is back */
#define PATIENCE (10000 * MSEC)	/* budgets hold for no longer than this, whatever is owed, and so long a tripped guard stops */
				/* growth altogether: for the daemon to decide. Without one, nobody must hang: */
#define GUARD_HOLD (800 * MSEC)	/* from then on the guard holds each charge for this long */

extern struct mem_cgroup *bpf_get_mem_cgroup(struct cgroup_subsys_state *css) __weak __ksym;
extern void bpf_put_mem_cgroup(struct mem_cgroup *memcg) __weak __ksym;
extern unsigned long bpf_mem_cgroup_usage(struct mem_cgroup *memcg) __weak __ksym;

struct charged {
	__u64 usage; /* memory.current, */
	__u64 hard;  /* memory.max; bytes */
};

/* What is charged to a cgroup, by id; nothing when it is gone. */
__noinline int charged_to(__u64 id, struct charged *found)
{
	struct cgroup *cgrp;
	struct mem_cgroup *memcg;

	if (!found)
		return 0;
	found->usage = 0;
	found->hard = ~0ULL;
	cgrp = bpf_cgroup_from_id(id);
	if (!cgrp)
		return 0;
	memcg = bpf_get_mem_cgroup(&cgrp->self);
	if (memcg) {
		found->usage = bpf_mem_cgroup_usage(memcg);
		found->hard = memcg->memory.max * acg_page_size;
		bpf_put_mem_cgroup(memcg);
	}
	bpf_cgroup_release(cgrp);
	return 0;
}

/* Whether the guard keeps a task of low priority in the callback: it may have tripped when the task was held already. */
static __noinline bool stopped_by_guard(struct task_state *t, __u64 now)
{
	__u32 zero = 0;
	struct acg_guard *guard = bpf_map_lookup_elem(&acg_guard, &zero);
	struct charged node = {};

	if (!t || !guard || !guard->cgroup)
		return false;
	charged_to(guard->cgroup, &node);
	if (!guard_look(node.usage, now))
		return false;
	if (!t->guard_ns) {
		t->guard_ns = guard->tripped_ns + PATIENCE;
		if (before(t->guard_ns, now + GUARD_HOLD))
			t->guard_ns = now + GUARD_HOLD;
	}
	return before(now, t->guard_ns);
}

/*
 * How much longer a task in the callback has to wait; 0: no longer. Who goes over stands behind all who are over already: it waits
 * until what they and it have charged is paid, and not for those who come after it. So tasks that share a budget go on one
 * by one, at its rate, however many they are.
 */
static __noinline __u64 still_over(struct task_state *t, __u64 now)
{
	struct charged level = {};
	__u64 wait = 0;
	int i;

	if (!t)
		return 0;
	bpf_for(i, 0, 4) {
		__u64 id = t->levels[i & 3], more;
		struct acg_rate *rate;

		if ((__u32)i >= t->level_count)
			break;
		rate = bpf_map_lookup_elem(&acg_rates, &id);
		if (!rate)
			continue;
		if (rate->flags & ACG_RATE_RELEASED)
			return 0;
		charged_to(id, &level);
		more = growth_wait(id, level.usage, level.hard, now);
		if (more > wait)
			wait = more;
	}
	if (!t->due_ns)
		t->due_ns = now + (wait < PATIENCE ? wait : PATIENCE);
	if (!before(now, t->due_ns))
		wait = 0;
	else if (wait > t->due_ns - now)
		wait = t->due_ns - now;
	if (t->guarded && wait < GUARD_LOOK && stopped_by_guard(t, now))
		wait = GUARD_LOOK;
	return wait;
}

/* Why a task must not be held (enum acg_release); ACG_RELEASE_TIME: nothing stands against it. */
static __always_inline __u32 must_go(struct task_struct *p, struct task_state *t)
{
	unsigned long pending = p->pending.signal.sig[0] | p->signal->shared_pending.signal.sig[0];
	struct acg_rate *rate;
	int i;

	if (t->victim)
		return ACG_RELEASE_OOM;
	if ((pending & (1UL << 8)) || (p->flags & TASK_EXITING)) /* SIGKILL: every fatal signal becomes one */
		return ACG_RELEASE_KILL;
	if (p->jobctl & (JOB_TRAP_FREEZE | JOB_STOP_PENDING))
		return ACG_RELEASE_FREEZE;
	if (pending & ~p->blocked.sig[0])
		return ACG_RELEASE_SIGNAL;
	bpf_for(i, 0, 4) {
		__u64 id = t->levels[i & 3];

		if ((__u32)i >= t->level_count)
			break;
		rate = bpf_map_lookup_elem(&acg_rates, &id);
		if (rate && (rate->flags & ACG_RATE_RELEASED))
			return ACG_RELEASE_ASKED;
	}
	return ACG_RELEASE_TIME;
}

#endif
