/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a task is held, and let go.
 *
 *   call_back(), from the charge hook: task_work
 *   on the way back to user mode                 callback: park me -> kick this CPU -> preempted -> ops.enqueue
 *   ops.enqueue                                  -> DSQ_HELD, ordered by release time
 *   alarm of that CPU                            due, or must not wait any longer? -> DSQ_PINNED -> runs, in the callback
 *   still in the callback                        its turn has not come? park again : return to user mode
 *
 * Parking happens nowhere but in the callback: there the task holds no lock. A task preempted elsewhere may hold the mmap
 * lock, and is never parked.
 */
#ifndef ACG_HOLD_BPF_H
#define ACG_HOLD_BPF_H

#include "wait.bpf.h"

#define HOLD_MAX (50 * MSEC)	/* longest single hold; the watchdog and every release that was missed are measured against it */
#define CALLBACK_MAX (800 * MSEC) /* a callback keeps an RCU tasks-trace section open: who waits longer begins another one */
#define HOLDS_MAX 128		/* holds in one callback; for the verifier */
#define HOLD_MIN (MSEC / 10)	/* less is not worth two context switches; the budget remembers it */
#define HOLD_POLL (10 * MSEC)	/* how often held tasks are looked at: ACG_RATE_RELEASED is noticed within this */

/*
 * bpf_task_work lives in map values only; one per task that ever went over. A second one for who waits longer than a callback
 * lasts: one that is running cannot be scheduled.
 */
struct work {
	struct bpf_task_work work;
};
struct work_key {
	__u32 tid;
	__u32 turn; /* 0 or 1 */
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * CALLS_MAX);
	__type(key, struct work_key);
	__type(value, struct work);
} acg_works SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CPUS_MAX);
	__type(key, __u32);
	__type(value, struct alarm);
} hold_alarms SEC(".maps");

extern int bpf_task_work_schedule_resume(struct task_struct *task, struct bpf_task_work *tw, void *map__const_map,
					 int (*callback)(struct bpf_map *map, void *key, void *value)) __weak __ksym;
extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;

static int hold_me(struct bpf_map *map, void *key, void *value);

/* Has the current task call hold_me() on its way to user mode. */
static __always_inline bool call_back(struct task_struct *p, struct work_key *key)
{
	struct work *work = bpf_map_lookup_elem(&acg_works, key);

	if (!work) {
		struct work none = {};

		bpf_map_update_elem(&acg_works, key, &none, BPF_NOEXIST);
		work = bpf_map_lookup_elem(&acg_works, key);
	}
	if (work && !bpf_task_work_schedule_resume(p, &work->work, &acg_works, hold_me))
		return true;
	struct acg_governor *counts = governor();

	if (counts)
		counts->schedule_fails++;
	return false;
}

/* Runs in the task, on its way to user mode. Each turn of the loop is one hold: the kick preempts us inside of it. */
static int hold_me(struct bpf_map *map, void *key, void *value)
{
	struct task_struct *p = bpf_get_current_task_btf();
	struct task_state *t = bpf_task_storage_get(&acg_tasks, p, 0, 0);
	__u32 cpu = bpf_get_smp_processor_id();
	struct alarm *alarm = bpf_map_lookup_elem(&hold_alarms, &cpu);
	struct cpu_state *c = cpu_at(cpu);
	__u64 begin = bpf_ktime_get_ns();
	bool again = false;
	int i;

	if (!t || !alarm || !c)
		return 0;
	__sync_fetch_and_add(&c->callbacks, 1); /* first: the alarm sets itself again while this is not 0 */
	bpf_for(i, 0, HOLDS_MAX) {
		__u64 now = bpf_ktime_get_ns(), wait;
		int spin;

		if (c->leaving || must_go(p, t))
			break;
		wait = still_over(t, now);
		if (wait < HOLD_MIN)
			break;
		if (now - begin > CALLBACK_MAX) {
			again = true;
			break;
		}
		t->until_ns = now + (wait < HOLD_MAX ? wait : HOLD_MAX);
		if (!alarm_set(alarm, now + (wait < HOLD_POLL ? wait : HOLD_POLL), BPF_F_TIMER_CPU_PIN))
			break;
		t->park = 1;
		/* the kick's interrupt must not preempt us inside the kick: that is an RCU section, and would delay all of RCU */
		bpf_preempt_disable();
		scx_bpf_kick_cpu(cpu, KICK_PREEMPT);
		bpf_preempt_enable();
		/* preempted there, or some instructions later; past this loop we were parked, or nobody parks any more */
		bpf_for(spin, 0, 4096)
			if (!*(volatile __u32 *)&t->park)
				break;
		if (__sync_lock_test_and_set(&t->park, 0)) {
			struct acg_governor *counts = governor();

			if (counts)
				counts->not_parked++;
			break;
		}
		t->rearmed = 1;
	}
	__sync_fetch_and_add(&c->callbacks, -1);
	if (again) {
		struct work_key other = { .tid = p->pid, .turn = !((struct work_key *)key)->turn };

		if (call_back(p, &other))
			return 0;
	}
	t->over_ns = 0;
	return 0;
}

/* ops.enqueue of a task whose callback asked for it: true if it is held now. */
static bool hold(struct task_struct *p, struct task_state *t, s32 cpu, __u64 enq_flags, __u64 now)
{
	struct scx_bpf_dsq_insert_vtime_args args = {
		.dsq_id = DSQ_HELD + cpu, .slice = SLICE, .vtime = t->until_ns, .enq_flags = enq_flags
	};
	struct acg_governor *counts = governor();

	if (!before(now, t->until_ns) || must_go(p, t)) {
		t->park = 0;
		return false;
	}
	t->held_ns = now;
	t->cpu = cpu;
	t->reason = ACG_RELEASE_TIME;
	if (counts) {
		counts->holds++;
		if (t->rearmed) {
			counts->rearms++;
		} else {
			__u64 latency = now - t->over_ns;

			counts->latency[latency_bucket(latency)]++;
			if (latency > counts->worst_ns)
				counts->worst_ns = latency;
		}
	}
	__scx_bpf_dsq_insert_vtime(p, &args);
	return true;
}

/* It runs again: account for the hold. */
static void held(struct task_state *t, __u64 now)
{
	__u64 took = now - t->held_ns, id = t->levels[0];
	struct acg_growth *growth = bpf_map_lookup_elem(&acg_growth, &id);
	struct acg_governor *counts = governor();

	t->held_ns = 0;
	t->park = 0;
	if (growth) {
		__sync_fetch_and_add(&growth->holds, 1);
		__sync_fetch_and_add(&growth->held_ns, took);
	}
	if (counts) {
		counts->held_ns += took;
		counts->releases[t->reason & (ACG_RELEASE_REASONS - 1)]++;
	}
}

/* A CPU's alarm: releases who is due and who must not wait. */
static int release_due(void *map, __u32 *key, struct alarm *alarm)
{
	__u64 now = bpf_ktime_get_ns(), next = now + HOLD_POLL;
	__u32 cpu = *key;
	struct cpu_state *c = cpu_at(cpu);
	struct task_struct *p;
	bool any = false;

	alarm->at = 0;
	bpf_rcu_read_lock();
	bpf_for_each(scx_dsq, p, DSQ_HELD + cpu, 0) {
		struct task_state *t = state_of(p);

		if (!t)
			continue;
		if (before(now, t->until_ns)) {
			__u32 reason = c && c->leaving ? ACG_RELEASE_OFFLINE : must_go(p, t);

			if (!reason) {
				if (before(t->until_ns, next))
					next = t->until_ns;
				continue;
			}
			t->reason = reason;
		}
		t->park = 0;
		if (!quote(p, t, now)) /* its cpu.max is used up: it has to leave the callback first */
			t->key = t->start + t->stretch;
		book(t);
		scx_bpf_dsq_move_set_vtime(&___it, t->key);
		any |= scx_bpf_dsq_move_vtime(&___it, p, DSQ_PINNED + cpu, 0);
	}
	bpf_rcu_read_unlock();
	if (any)
		scx_bpf_kick_cpu(cpu, KICK_IDLE);
	if (c && *(volatile __s32 *)&c->callbacks > 0)
		alarm_set(alarm, next, BPF_F_TIMER_CPU_PIN);
	return 0;
}

static int hold_init(__u32 cpu)
{
	struct alarm *alarm = bpf_map_lookup_elem(&hold_alarms, &cpu);
	struct cpu_state *c = cpu_at(cpu);

	if (!alarm || !c)
		return -22; /* EINVAL */
	bpf_timer_init(&alarm->timer, &hold_alarms, 1 /* CLOCK_MONOTONIC */);
	bpf_timer_set_callback(&alarm->timer, release_due);
	alarm->at = 0;
	/* armed again, it finds CPUs that came back meanwhile; and callbacks that are not over yet, whose count stays as it is */
	c->leaving = 0;
	return 0;
}

static void forget(struct task_struct *p)
{
	struct work_key key = { .tid = p->pid };

	bpf_map_delete_elem(&acg_works, &key);
	key.turn = 1;
	bpf_map_delete_elem(&acg_works, &key);
}

/* Has a CPU's held tasks looked through at once. */
static __always_inline void look_now(__u32 cpu)
{
	struct alarm *alarm = bpf_map_lookup_elem(&hold_alarms, &cpu);

	if (alarm)
		alarm_set(alarm, bpf_ktime_get_ns(), 0);
}

/* Signals, exec and exit_group of another thread, freezing, stopping: all of them wake the task through here. */
SEC("fentry/signal_wake_up_state")
int BPF_PROG(acg_wake_up, struct task_struct *p, unsigned int state)
{
	struct task_state *t = bpf_task_storage_get(&acg_tasks, p, 0, 0);

	if (t && t->held_ns)
		look_now(t->cpu);
	return 0;
}

SEC("tp_btf/mark_victim")
int BPF_PROG(acg_victim, struct task_struct *p, uid_t uid)
{
	struct task_state *t = bpf_task_storage_get(&acg_tasks, p, 0, 0);

	if (!t)
		return 0;
	t->victim = 1;
	if (t->held_ns)
		look_now(t->cpu);
	return 0;
}

#endif
