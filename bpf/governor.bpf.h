/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The memory governor: bounds how fast tool calls grow, by delaying the tasks that grow too fast. A stock kernel can neither
 * delay nor fail a charge; this delays what comes after it (hold.bpf.h), for as long as the budgets demand (wait.bpf.h).
 */
#ifndef ACG_GOVERNOR_BPF_H
#define ACG_GOVERNOR_BPF_H

#include "hold.bpf.h"

#define PENDING_MAX (2000 * MSEC) /* a task_work not run after this is presumed lost */

/* Full mode: tasks of every policy are ours. Set by the loader. */
const volatile bool acg_full_mode = false;

SEC("fexit/page_counter_try_charge")
int BPF_PROG(acg_charge, struct page_counter *counter, unsigned long pages, struct page_counter **fail, bool charged)
{
	struct task_struct *p = bpf_get_current_task_btf();
	struct cgroup_subsys_state *css = NULL, **slot;
	__u64 now, wait = 0, id, usage;
	struct acg_governor *counts;
	struct mem_cgroup *memcg;
	struct acg_guard *guard;
	struct task_state *t;
	struct work_key key = { .tid = p->pid };
	bool tripped = false, stop;
	__u32 zero = 0;
	int i;

	if (!charged || (p->flags & (TASK_KTHREAD | TASK_EXITING)))
		return 0;
	if (p->policy != SCHED_EXT_POLICY && !acg_full_mode)
		return 0;
	/* another kind of counter (swap, kernel memory), or memory charged on behalf of somebody else */
	memcg = (void *)counter - bpf_core_field_offset(struct mem_cgroup, memory);
	slot = (void *)p->cgroups + bpf_core_field_offset(struct css_set, subsys) +
	       bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id) * sizeof(css);
	bpf_probe_read_kernel(&css, sizeof(css), slot);
	if ((void *)css != (void *)memcg)
		return 0;
	counts = governor();
	t = bpf_task_storage_get(&acg_tasks, p, 0, 0);
	if (!counts || !t)
		return 0;
	counts->charges++;
	now = bpf_ktime_get_ns();
	if (t->over_ns && now - t->over_ns < PENDING_MAX)
		return 0; /* on its way to be held; what it does until then counts */
	guard = bpf_map_lookup_elem(&acg_guard, &zero);
	t->guarded = 0;
	t->level_count = 0; /* in the map, not on the stack: the verifier would follow every value of it */
	bpf_for(i, 0, LEVELS_MAX) {
		struct acg_rate *rate;

		memcg = bpf_core_cast((void *)counter - bpf_core_field_offset(struct mem_cgroup, memory), struct mem_cgroup);
		id = memcg->css.cgroup->kn->id;
		usage = (__u64)memcg->memory.usage.counter * acg_page_size;
		rate = bpf_map_lookup_elem(&acg_rates, &id);
		if (rate) {
			__u32 level = t->level_count;
			__u64 more;

			if (rate->flags & ACG_RATE_RELEASED)
				return 0;
			if (!level) {
				if (!(rate->flags & ACG_RATE_CALL))
					return 0; /* an agent leaf, or something else that is never held */
				t->priority = rate->priority;
			}
			if (level < 4) { /* what is above those is looked at here, but not by who is held */
				t->levels[level & 3] = id;
				t->level_count = level + 1;
			}
			more = growth_wait(id, usage, memcg->memory.max * acg_page_size, now);
			if (more > wait)
				wait = more;
		}
		if (guard && guard->cgroup == id) {
			tripped = guard_look(usage, now);
			t->guarded = t->priority == ACG_PRIORITY_LOW && t->level_count;
			break;
		}
		counter = memcg->memory.parent;
		if (!counter)
			break;
	}
	stop = tripped && t->guarded;
	if (!wait && !stop)
		return 0;
	counts->overs++;
	if (wait < HOLD_MIN && !stop) {
		counts->short_holds++;
		return 0;
	}
	t->over_ns = now;
	t->due_ns = 0;
	t->guard_ns = 0;
	t->rearmed = 0;
	if (!call_back(p, &key))
		t->over_ns = 0;
	return 0;
}

#endif
