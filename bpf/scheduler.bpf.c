/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A sched_ext scheduler for nodes full of coding agents, and the place where the memory governor holds tasks.
 *
 * One queue, shared by all CPUs, ordered by the virtual time at which a task's next stretch would end (tree.bpf.h), those who
 * are urgent first (queue.bpf.h); a second one per CPU for tasks that can run nowhere else. A woken task goes to an idle CPU,
 * or at once in place of a task whose turn is later than its own, or into the queue. See bpf/README.md.
 */
#include "vmlinux-min.h"
#include "shared.bpf.h"
#include "scx.bpf.h"
#include "tree.bpf.h"
#include "bandwidth.bpf.h"
#include "task.bpf.h"

static bool quote(struct task_struct *p, struct task_state *t, __u64 now);
static void book(struct task_state *t);

#include "governor.bpf.h"
#include "queue.bpf.h"
#include "throttle.bpf.h"

SEC("struct_ops/acg_select_cpu")
s32 BPF_PROG(acg_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	struct task_state *t = state_of(p);
	bool idle = false;
	s32 cpu, victim;
	__u64 now;

	cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);
	if (!t)
		return cpu;
	t->quoted = 0;
	t->place = PLACE_QUEUE;
	if (idle) {
		t->place = PLACE_IDLE;
		return cpu;
	}
	now = bpf_ktime_get_ns();
	if (!quote(p, t, now))
		return cpu;
	t->quoted = 1;
	victim = find_victim(p, prev_cpu, t->key, now);
	if (victim >= 0) {
		t->place = PLACE_PREEMPT;
		return victim;
	}
	return cpu;
}

SEC("struct_ops/acg_enqueue")
void BPF_PROG(acg_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct task_state *t = state_of(p);
	__u32 place, quoted;
	bool pinned;
	__u64 now;
	s32 cpu;

	if (!t || ((p->flags & TASK_KTHREAD) && p->nr_cpus_allowed == 1)) {
		scx_bpf_dsq_insert___v2___acg(p, DSQ_LOCAL, SLICE, enq_flags);
		return;
	}
	now = bpf_ktime_get_ns();
	place = t->place;
	quoted = t->quoted;
	t->place = PLACE_QUEUE;
	t->quoted = 0;
	cpu = scx_bpf_task_cpu(p);
	charge(p, t);
	if (t->park && hold(p, t, cpu, enq_flags, now))
		return;
	if (!quoted && !quote(p, t, now)) {
		if (throttle(p, t, enq_flags, now))
			return;
		t->key = t->start + t->stretch;
	}
	book(t);
	pinned = one_cpu_only(p);
	if (pinned)
		count(pinned);
	if (place == PLACE_IDLE || (enq_flags & ENQ_LAST) || (pinned && scx_bpf_test_and_clear_cpu_idle(cpu))) {
		count(idle);
		scx_bpf_dsq_insert___v2___acg(p, DSQ_LOCAL, t->slice, enq_flags);
		return;
	}
	if (pinned && (enq_flags & ENQ_WAKEUP) && find_victim(p, cpu, t->key, now) == cpu)
		place = PLACE_PREEMPT;
	if (!pinned && (enq_flags & ENQ_REENQ)) { /* its CPU was taken over before it ran: try elsewhere */
		s32 victim = find_victim(p, cpu, t->key, now);

		if (victim >= 0)
			scx_bpf_kick_cpu(victim, KICK_PREEMPT);
	}
	if (place == PLACE_PREEMPT) {
		struct task_struct *head = scx_bpf_dsq_peek(DSQ_SHARED);
		struct cpu_state *c = cpu_at(cpu);

		if (c && c->running && (!head || !before(head->scx.dsq_vtime, t->key))) {
			c->key = t->key; /* the next who looks for a victim sees the newcomer */
			c->stretch = t->stretch;
			c->since = now;
			count(preempts);
			scx_bpf_dsq_insert___v2___acg(p, DSQ_LOCAL, t->slice, enq_flags | ENQ_PREEMPT);
			return;
		}
	}
	count(queued);
	insert(p, pinned ? DSQ_PINNED + cpu : DSQ_SHARED, t->slice, t->key, enq_flags);
	if (pinned) {
		if (place == PLACE_PREEMPT)
			scx_bpf_kick_cpu(cpu, KICK_PREEMPT);
		return;
	}
	if (place == PLACE_PREEMPT) { /* others wait with a better claim: let the queue decide */
		scx_bpf_kick_cpu(cpu, KICK_PREEMPT);
		return;
	}
	cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, KICK_IDLE);
}

/* Lets prev go on if its next stretch comes before all that wait; it is not in the queue, so nobody else would know. */
static bool keep(struct task_struct *prev, s32 cpu, struct task_struct *head, __u64 now)
{
	struct task_state *t = state_of(prev);
	struct cpu_state *c = cpu_at(cpu);

	if (!t || !c || t->park || !(prev->scx.flags & TASK_QUEUED))
		return false;
	charge(prev, t);
	if (!quote(prev, t, now))
		return false;
	if (head && before(head->scx.dsq_vtime, t->key))
		return false;
	if (!bpf_cpumask_test_cpu(cpu, prev->cpus_ptr))
		return false;
	book(t);
	scx_bpf_task_set_slice(prev, t->slice);
	c->key = t->key;
	c->stretch = t->stretch;
	c->since = now;
	if (before(virtual_now, t->start))
		virtual_now = t->start;
	count(kept);
	return true;
}

SEC("struct_ops/acg_dispatch")
void BPF_PROG(acg_dispatch, s32 cpu, struct task_struct *prev)
{
	struct task_struct *shared = scx_bpf_dsq_peek(DSQ_SHARED);
	struct task_struct *pinned = scx_bpf_dsq_peek(DSQ_PINNED + cpu);
	bool pinned_first = pinned && (!shared || before(pinned->scx.dsq_vtime, shared->scx.dsq_vtime));

	if (prev && keep(prev, cpu, pinned_first ? pinned : shared, bpf_ktime_get_ns()))
		return;
	if (pinned_first && scx_bpf_dsq_move_to_local(DSQ_PINNED + cpu))
		return;
	/* a move may let go of the run queue's lock: what came meanwhile to a queue that was empty would wait on an idle CPU */
	if (scx_bpf_dsq_move_to_local(DSQ_SHARED))
		return;
	if (!pinned_first)
		scx_bpf_dsq_move_to_local(DSQ_PINNED + cpu);
}

SEC("struct_ops/acg_tick")
void BPF_PROG(acg_tick, struct task_struct *p)
{
	__u64 slice = SLICE;
	struct task_state *t;

	/* a stretch may have been granted when the budget looked large, and others drain it too */
	if (limited_nodes <= 0)
		return;
	t = state_of(p);
	if (!t)
		return;
	charge(p, t);
	if (bandwidth_wait(t->node, bpf_ktime_get_ns(), &slice))
		scx_bpf_task_set_slice(p, 0);
}

#include "lifecycle.bpf.h"
#include "cgroups.bpf.h"
#include "hotplug.bpf.h"

SEC("struct_ops.s/acg_init")
s32 BPF_PROG(acg_init)
{
	struct acg_scheduler_state *state;
	struct alarm *alarm;
	__u32 zero = 0, cpu;
	s32 error;

	cpus = scx_bpf_nr_cpu_ids();
	if (cpus > CPUS_MAX)
		return -7; /* E2BIG */
	error = scx_bpf_create_dsq(DSQ_SHARED, -1) ?: scx_bpf_create_dsq(DSQ_THROTTLED, -1);
	if (error)
		return error;
	bpf_for(cpu, 0, cpus) {
		error = scx_bpf_create_dsq(DSQ_PINNED + cpu, -1) ?: scx_bpf_create_dsq(DSQ_HELD + cpu, -1);
		if (error)
			return error;
		error = hold_init(cpu);
		if (error)
			return error;
	}
	alarm = bpf_map_lookup_elem(&bandwidth_alarm, &zero);
	state = bpf_map_lookup_elem(&acg_scheduler_state, &zero);
	if (!alarm || !state)
		return -22; /* EINVAL */
	bpf_timer_init(&alarm->timer, &bandwidth_alarm, 1 /* CLOCK_MONOTONIC */);
	bpf_timer_set_callback(&alarm->timer, look_at_throttled);
	alarm->at = 0;
	state->started_ns = bpf_ktime_get_ns();
	state->exited_ns = 0;
	return 0;
}

SEC("struct_ops/acg_exit")
void BPF_PROG(acg_exit, struct scx_exit_info *info)
{
	struct acg_scheduler_state *state;
	__u32 zero = 0;

	state = bpf_map_lookup_elem(&acg_scheduler_state, &zero);
	if (!state)
		return;
	state->exit_kind = info->kind;
	state->exit_code = info->exit_code;
	bpf_probe_read_kernel_str(state->reason, sizeof(state->reason), info->reason);
	bpf_probe_read_kernel_str(state->message, sizeof(state->message), info->msg);
	state->exited_ns = bpf_ktime_get_ns();
}

/* Two tables over the same programs: the loader creates the one it wants. */
#define OPS(NAME, FLAGS)                                             \
	SEC(".struct_ops.link")                                      \
	struct sched_ext_ops NAME = {                                \
		.select_cpu = (void *)acg_select_cpu,                \
		.enqueue = (void *)acg_enqueue,                      \
		.dispatch = (void *)acg_dispatch,                    \
		.tick = (void *)acg_tick,                            \
		.runnable = (void *)acg_runnable,                    \
		.running = (void *)acg_running,                      \
		.stopping = (void *)acg_stopping,                    \
		.quiescent = (void *)acg_quiescent,                  \
		.init_task = (void *)acg_init_task,                  \
		.exit_task = (void *)acg_exit_task,                  \
		.cgroup_init = (void *)acg_cgroup_init,              \
		.cgroup_exit = (void *)acg_cgroup_exit,              \
		.cgroup_move = (void *)acg_cgroup_move,              \
		.cgroup_set_weight = (void *)acg_cgroup_set_weight,  \
		.cgroup_set_bandwidth = (void *)acg_cgroup_set_bandwidth, \
		.cgroup_set_idle = (void *)acg_cgroup_set_idle,      \
		.cpu_online = (void *)acg_cpu_online,                \
		.cpu_offline = (void *)acg_cpu_offline,              \
		.init = (void *)acg_init,                            \
		.exit = (void *)acg_exit,                            \
		.flags = FLAGS,                                      \
		.timeout_ms = 20000,                                 \
		.name = "agentcgroup",                               \
	}

OPS(acg_partial, OPS_ENQ_LAST | OPS_ENQ_MIGRATION_DISABLED | OPS_SWITCH_PARTIAL);
OPS(acg_full, OPS_ENQ_LAST | OPS_ENQ_MIGRATION_DISABLED);
