/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The memory governor: bounds how fast tool calls grow, by delaying the tasks that grow too fast.
 *
 *   charge hook (a batch of pages was charged)   over a budget? -> task_work
 *   on the way back to user mode                 callback: park me -> kick this CPU -> preempted -> ops.enqueue
 *   ops.enqueue                                  -> DSQ_HELD, ordered by release time
 *   alarm of that CPU                            due, or must not wait any longer? -> DSQ_PINNED -> runs, in the callback
 *   still in the callback                        its turn has not come? park again : return to user mode
 *
 * A stock kernel can neither delay nor fail a charge; this delays what comes after it. Parking happens nowhere but in the
 * callback: there the task holds no lock. A task preempted elsewhere may hold the mmap lock, and is never parked.
 */
#ifndef ACG_GOVERNOR_BPF_H
#define ACG_GOVERNOR_BPF_H

#include "budget.bpf.h"

#define HOLD_MAX (50 * MSEC)	/* longest single hold; the watchdog and every release that was missed are measured against it */
#define CALLBACK_MAX (800 * MSEC) /* a callback keeps an RCU tasks-trace section open: who waits longer begins another one */
#define HOLDS_MAX 128		/* holds in one callback; for the verifier */
#define HOLD_MIN (MSEC / 10)	/* less is not worth two context switches; the budget remembers it */
#define HOLD_POLL (10 * MSEC)	/* how often held tasks are looked at: ACG_RATE_RELEASED is noticed within this */
#define GUARD_LOOK (20 * MSEC)	/* how often who was stopped by the guard looks whether headroom is back */
#define GUARD_PATIENCE (10000 * MSEC) /* so long a tripped guard stops growth altogether: for the daemon to decide. Without one, */
#define GUARD_HOLD (800 * MSEC)	/* nobody must hang: from then on each charge is held this long */
#define PENDING_MAX (2000 * MSEC) /* a task_work not run after this is presumed lost */

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

/* Full mode: tasks of every policy are ours. Set by the loader. */
const volatile bool acg_full_mode = false;

extern int bpf_task_work_schedule_resume(struct task_struct *task, struct bpf_task_work *tw, void *map__const_map,
					 int (*callback)(struct bpf_map *map, void *key, void *value)) __weak __ksym;
extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;
extern struct mem_cgroup *bpf_get_mem_cgroup(struct cgroup_subsys_state *css) __weak __ksym;
extern void bpf_put_mem_cgroup(struct mem_cgroup *memcg) __weak __ksym;
extern unsigned long bpf_mem_cgroup_usage(struct mem_cgroup *memcg) __weak __ksym;

/* memory.current of a cgroup by id; 0 when it is gone. */
__noinline __u64 usage_of(__u64 id)
{
	struct cgroup *cgrp = bpf_cgroup_from_id(id);
	struct mem_cgroup *memcg;
	__u64 usage = 0;

	if (!cgrp)
		return 0;
	memcg = bpf_get_mem_cgroup(&cgrp->self);
	if (memcg) {
		usage = bpf_mem_cgroup_usage(memcg);
		bpf_put_mem_cgroup(memcg);
	}
	bpf_cgroup_release(cgrp);
	return usage;
}

/* Whether the guard keeps a task of low priority in the callback: it may have tripped when the task was held already. */
static __noinline bool stopped_by_guard(struct task_state *t, __u64 now)
{
	__u32 zero = 0;
	struct acg_guard *guard = bpf_map_lookup_elem(&acg_guard, &zero);

	if (!t || !guard || !guard->cgroup || !guard_look(usage_of(guard->cgroup), now))
		return false;
	if (!t->guard_ns) {
		t->guard_ns = guard->tripped_ns + GUARD_PATIENCE;
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
		more = growth_wait(id, usage_of(id), now);
		if (more > wait)
			wait = more;
	}
	if (!t->due_ns)
		t->due_ns = now + wait;
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
			t->key = t->start;
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
	c->callbacks = 0;
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
			more = growth_wait(id, usage, now);
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
