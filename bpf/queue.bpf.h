/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a task stands in the queue, what that costs its cgroup, and whose place a newcomer may take.
 */
#ifndef ACG_QUEUE_BPF_H
#define ACG_QUEUE_BPF_H

/* CPU time since the last look goes to the account of its cgroup; what it had reserved there comes back. */
static void charge(struct task_struct *p, struct task_state *t)
{
	__u64 total = p->se.sum_exec_runtime, ran = total - t->charged;

	if (!ran && !t->reserved)
		return;
	t->charged = total;
	t->ran += ran;
	node_charge(t->node, ran, t->reserved, t->cost ?: 1ULL << COST_SHIFT);
	t->reserved = 0;
}

/*
 * Where it would stand in the queue now; false: not at all, a cpu.max keeps it out until t->key.
 *
 * Who slept, or has just started, and will be through with what it mostly does before it has had its share, is urgent: ahead
 * of all who are not. It spends what it saved up, so the others lose nothing they have a claim to.
 */
static bool quote(struct task_struct *p, struct task_state *t, __u64 now)
{
	__u64 expect = t->expect ?: SLICE, until = 0;
	bool brief = t->ran < SLICE;

	t->slice = SLICE * (p->scx.weight ?: 100) / 100; /* nice: members of a cgroup take turns of different length */
	if (t->slice > 4 * SLICE)
		t->slice = 4 * SLICE;
	if (limited_nodes > 0) {
		until = bandwidth_wait(t->node, now, &t->slice);
		if (until && t->throttled_ns && now - t->throttled_ns > THROTTLE_MAX)
			until = 0;
	}
	if (t->slice < SLICE_MIN)
		t->slice = SLICE_MIN;
	if (brief)
		expect = expect > t->ran ? expect - t->ran : 0;
	else if (t->ran > expect)
		expect = t->ran; /* longer than usual already */
	if (expect < EXPECT_MIN)
		expect = EXPECT_MIN;
	if (expect > t->slice)
		expect = t->slice;
	t->start = node_start(t->node, !t->ran, &t->cost);
	t->stretch = expect * t->cost >> COST_SHIFT;
	t->key = t->start + t->stretch;
	if (brief && !before(virtual_now, t->key))
		t->key = virtual_now + t->stretch - EVER;
	if (until)
		t->key = until; /* DSQ_THROTTLED is ordered by this */
	return !until;
}

static void book(struct task_state *t)
{
	t->reserved = t->stretch;
	node_reserve(t->node, t->start, t->reserved);
}

/* Gives the place back, to take another. */
static void unbook(struct task_state *t)
{
	node_charge(t->node, 0, t->reserved, t->cost);
	t->reserved = 0;
}

static __always_inline bool one_cpu_only(struct task_struct *p)
{
	if (p->nr_cpus_allowed == 1)
		return true;
	/* running this program disables migration of the current task by itself */
	return p->migration_disabled > (p->pid == bpf_get_current_task_btf()->pid ? 1 : 0);
}

/*
 * A CPU whose task's turn is behind that of a newcomer with this key; -1: none. The one where the newcomer ran last, if it
 * will do: its caches are warm, and mostly it is the one that is waking it, so no interrupt has to be sent. Else the one
 * that is furthest behind.
 */
static s32 find_victim(struct task_struct *p, s32 first, __u64 key, __u64 now)
{
	__u64 worst = key + PREEMPT_MARGIN;
	s32 victim = -1;
	__u32 i;

	bpf_for(i, 0, PREEMPT_SCAN) {
		__u32 cpu = first + i;
		struct cpu_state *c;
		__u64 end, ran;

		if (i >= cpus)
			break;
		if (cpu >= cpus)
			cpu -= cpus;
		c = cpu_at(cpu);
		if (!c || !c->running || !bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			continue;
		end = c->key;
		ran = (now - c->since) * c->cost >> COST_SHIFT;
		if (ran > c->stretch) { /* longer than it was thought to: what was urgent is not any more */
			end += ran - c->stretch;
			if (before(end, virtual_now - EVER / 2))
				end += EVER;
		}
		if (before(worst, end)) {
			worst = end;
			victim = cpu;
			if (!i)
				break;
		}
	}
	return victim;
}

static void insert(struct task_struct *p, u64 dsq, u64 slice, u64 key, u64 enq_flags)
{
	struct scx_bpf_dsq_insert_vtime_args args = { .dsq_id = dsq, .slice = slice, .vtime = key, .enq_flags = enq_flags };

	__scx_bpf_dsq_insert_vtime(p, &args);
}

#endif
