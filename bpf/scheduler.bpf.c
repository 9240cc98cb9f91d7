/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A sched_ext scheduler for nodes full of coding agents, and the place where the memory governor holds tasks.
 *
 * One queue, ordered by the virtual time at which a task's next stretch would end (tree.bpf.h), shared by all CPUs; a
 * second one per CPU for tasks that can run nowhere else. A woken task goes to an idle CPU, or at once in place of a task
 * whose turn is later than its own, or into the queue. See bpf/README.md.
 */
#include "vmlinux-min.h"
#include "shared.bpf.h"
#include "scx.bpf.h"
#include "tree.bpf.h"
#include "bandwidth.bpf.h"

#define CPUS_MAX 1024
#define PREEMPT_MARGIN (MSEC / 2) /* virtual time a newcomer must be ahead of who is running */
#define PREEMPT_SCAN 64		  /* CPUs looked at for a victim */

enum {
	DSQ_SHARED = 1,
	DSQ_THROTTLED = 2,
	DSQ_PINNED = 1 << 20, /* + CPU: can run there only */
	DSQ_HELD = 1 << 21,   /* + CPU: held by the governor, ordered by release time */
};

enum place { PLACE_QUEUE, PLACE_IDLE, PLACE_PREEMPT };

struct task_state {
	__u32 node;
	__u32 counted;		/* 1: in node.own */
	__u64 charged;		/* se.sum_exec_runtime at the last charge */
	__u64 start;		/* virtual time its stretch starts at, */
	__u64 key;		/* ends at, */
	__u64 reserved;		/* and the part of the node's account that is its */
	__u64 ran;		/* ns since it slept last */
	__u64 expect;		/* ns it runs between two sleeps, exponential average */
	__u64 woken_ns;
	__u64 throttled_ns;	/* waiting for cpu.max since; 0: not */
	__u64 slice;		/* the same for the running or next stretch */
	__u32 place;		/* what select_cpu decided, for enqueue */
	__u32 quoted;		/* 1: start, key and slice are fresh from select_cpu */
	/* the governor's */
	__u64 levels[4];	/* ids of the cgroups whose budgets count, the call first; level_count of them */
	__u64 over_ns;		/* went over budget at; 0: nothing pending */
	__u64 until_ns;		/* held until */
	__u64 held_ns;		/* held since; 0: not */
	__u32 park;		/* 1: in the callback and to be held at the next enqueue */
	__u32 rearmed;		/* held before in this callback */
	__u32 reason;		/* enum acg_release, set by who releases */
	__u32 victim;		/* chosen by the OOM killer */
	__u32 guarded;		/* 1: the guard stopped it */
	__u32 cpu;		/* whose queue it is held in */
	__u32 level_count;
	__u32 priority;		/* enum acg_priority of the call */
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_state);
} acg_tasks SEC(".maps");

/* What runs on each CPU, for those who look for one to preempt. */
struct cpu_state {
	__u64 start;		/* of the running task's stretch, */
	__u64 key;		/* its end, both virtual, */
	__u64 since;		/* and when it began to run */
	__u64 cost;
	__u32 running;		/* 1: one of ours */
	__u32 leaving;		/* 1: going offline, hold nobody here */
	__u32 zero;
	__s32 callbacks;	/* tasks in the governor's callback here, held or about to be */
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CPUS_MAX);
	__type(key, __u32);
	__type(value, struct cpu_state);
} acg_cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct acg_scheduler);
} acg_scheduler SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct acg_scheduler_state);
} acg_scheduler_state SEC(".maps");

static __always_inline struct task_state *state_of(struct task_struct *p)
{
	return bpf_task_storage_get(&acg_tasks, p, 0, 0);
}

static __always_inline struct cpu_state *cpu_at(__u32 cpu)
{
	return bpf_map_lookup_elem(&acg_cpus, &cpu);
}

#define count(field)                                                                        \
	do {                                                                                \
		__u32 __zero = 0;                                                           \
		struct acg_scheduler *__counts = bpf_map_lookup_elem(&acg_scheduler, &__zero); \
		if (__counts)                                                               \
			__counts->field++;                                                  \
	} while (0)

static __always_inline __u32 latency_bucket(__u64 ns)
{
	__u32 bucket = 0;

	for (int shift = 16; shift; shift >>= 1)
		if (ns >> shift) {
			ns >>= shift;
			bucket += shift;
		}
	return bucket & (ACG_LATENCY_BUCKETS - 1);
}

static bool quote(struct task_struct *p, struct task_state *t, __u64 now);
static void book(struct task_state *t);

#include "governor.bpf.h"

/* CPU time since the last look goes to the account of its cgroup; what it had reserved there comes back. */
static void charge(struct task_struct *p, struct task_state *t)
{
	__u64 total = p->se.sum_exec_runtime, ran = total - t->charged;

	if (!ran && !t->reserved)
		return;
	t->charged = total;
	t->ran += ran;
	node_charge(t->node, ran, t->reserved);
	t->reserved = 0;
}

/* Where it would stand in the queue now; false: not at all, a cpu.max keeps it out until t->throttled_until. */
static bool quote(struct task_struct *p, struct task_state *t, __u64 now)
{
	__u64 cost = node_cost(t->node), expect = t->expect, until = 0, credit = 0;

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
	if (t->ran > expect)
		expect = t->ran; /* longer than usual already */
	if (expect < EXPECT_MIN)
		expect = EXPECT_MIN;
	if (expect > t->slice)
		expect = t->slice;
	if (t->ran)
		credit = LAG + (SLICE * cost >> COST_SHIFT); /* it never stopped wanting the CPU */
	else if (t->expect < INTERACTIVE)
		credit = BOOST;
	t->start = node_start(t->node, cost, credit);
	t->key = t->start + (expect * cost >> COST_SHIFT);
	if (until)
		t->key = until; /* DSQ_THROTTLED is ordered by this */
	return !until;
}

static void book(struct task_state *t)
{
	t->reserved = t->key - t->start;
	node_reserve(t->node, t->start, t->reserved);
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
		__u64 end;

		if (i >= cpus)
			break;
		if (cpu >= cpus)
			cpu -= cpus;
		c = cpu_at(cpu);
		if (!c || !c->running || !bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			continue;
		end = c->start + ((now - c->since) * c->cost >> COST_SHIFT);
		if (before(end, c->key))
			end = c->key;
		if (before(worst, end)) {
			worst = end;
			victim = cpu;
			if (!i)
				break;
		}
	}
	return victim;
}

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

static void insert(struct task_struct *p, u64 dsq, u64 slice, u64 key, u64 enq_flags)
{
	struct scx_bpf_dsq_insert_vtime_args args = { .dsq_id = dsq, .slice = slice, .vtime = key, .enq_flags = enq_flags };

	__scx_bpf_dsq_insert_vtime(p, &args);
}

/* Makes it wait for its cpu.max; false: there is no way to wake it later, so let it run. */
static bool throttle(struct task_struct *p, struct task_state *t, u64 enq_flags, __u64 now)
{
	struct acg_node *node = node_at(t->node);
	struct alarm *alarm;
	__u32 zero = 0;

	alarm = bpf_map_lookup_elem(&bandwidth_alarm, &zero);
	if (!alarm)
		return false;
	if (!t->throttled_ns) {
		t->throttled_ns = now;
		__sync_fetch_and_add(&throttled_tasks, 1); /* first: the alarm sets itself again while this is not 0 */
		count(throttles);
		if (node)
			__sync_fetch_and_add(&node->throttled, 1);
	}
	if (!alarm_set(alarm, t->key, 0))
		return false;
	insert(p, DSQ_THROTTLED, t->slice, t->key, enq_flags);
	return true;
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
		t->key = t->start;
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
			c->start = c->key = t->key; /* the next who looks for a victim sees the newcomer */
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
	c->start = t->start;
	c->key = t->key;
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
	if (shared && scx_bpf_dsq_move_to_local(DSQ_SHARED))
		return;
	if (pinned && !pinned_first)
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
	c->start = t->start;
	c->key = t->key;
	c->since = now;
	c->cost = node_cost(t->node);
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
		t->expect = (3 * t->expect + t->ran) / 4;
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

SEC("struct_ops.s/acg_cgroup_init")
s32 BPF_PROG(acg_cgroup_init, struct cgroup *cgrp, struct scx_cgroup_init_args *args)
{
	struct acg_node *node;
	__u32 *index, parent = 0;
	struct cgroup *above;
	__s32 found = 0;

	if (cgrp->level > 0) {
		above = bpf_cgroup_ancestor(cgrp, cgrp->level - 1);
		if (above) {
			parent = node_of(above);
			bpf_cgroup_release(above);
		}
		found = node_allocate();
	}
	index = bpf_cgrp_storage_get(&acg_node_of, cgrp, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (found < 0 || !index) {
		/* refusing would fail a mkdir that has nothing to do with us: its tasks count as its parent's */
		count(nodes_full);
		if (index)
			*index = parent;
		else if (found > 0)
			node_free(found);
		return 0;
	}
	*index = found;
	node = node_at(found);
	if (!node)
		return 0;
	node->cgroup = cgrp->kn->id;
	node->parent = parent;
	node->level = cgrp->level;
	node->vtime = virtual_now;
	node->load = node->run_ns = node->throttled = 0;
	node->own = node->active = node->own_counted = node->counted = 0;
	node->quota_ns = 0;
	node->idle = args->sched_idle;
	node->cpu_weight = args->weight;
	node_reweigh(node);
	node_limit(node, args->bw_period_us, args->bw_quota_us, args->bw_burst_us);
	return 0;
}

/* The node of exactly this cgroup, not one it shares with its parent. */
static struct acg_node *node_owned(struct cgroup *cgrp)
{
	struct acg_node *node = node_at(node_of(cgrp));

	return node && node->cgroup == cgrp->kn->id ? node : NULL;
}

SEC("struct_ops/acg_cgroup_exit")
void BPF_PROG(acg_cgroup_exit, struct cgroup *cgrp)
{
	struct acg_node *node = node_owned(cgrp);

	if (!node)
		return;
	node_limit(node, 0, BANDWIDTH_UNLIMITED, 0);
	node_free(node_of(cgrp));
}

SEC("struct_ops/acg_cgroup_move")
void BPF_PROG(acg_cgroup_move, struct task_struct *p, struct cgroup *from, struct cgroup *to)
{
	struct task_state *t = state_of(p);

	if (!t)
		return;
	counted(t, 0); /* off the queue already, but be sure */
	t->reserved = 0;
	t->node = node_of(to);
}

SEC("struct_ops/acg_cgroup_set_weight")
void BPF_PROG(acg_cgroup_set_weight, struct cgroup *cgrp, u32 weight)
{
	struct acg_node *node = node_owned(cgrp);

	if (!node)
		return;
	node->cpu_weight = weight;
	node_reweigh(node);
}

SEC("struct_ops/acg_cgroup_set_bandwidth")
void BPF_PROG(acg_cgroup_set_bandwidth, struct cgroup *cgrp, u64 period_us, u64 quota_us, u64 burst_us)
{
	struct acg_node *node = node_owned(cgrp);

	if (node)
		node_limit(node, period_us, quota_us, burst_us);
}

SEC("struct_ops/acg_cgroup_set_idle")
void BPF_PROG(acg_cgroup_set_idle, struct cgroup *cgrp, bool idle)
{
	struct acg_node *node = node_owned(cgrp);

	if (!node)
		return;
	node->idle = idle;
	node_reweigh(node);
}

/*
 * Hotplug. Without these two operations it would eject us. The kernel moves queued tasks off a CPU that goes away, but waits
 * for those that cannot migrate, which all held tasks are.
 */
SEC("struct_ops/acg_cpu_online")
void BPF_PROG(acg_cpu_online, s32 cpu)
{
	struct cpu_state *c = cpu_at(cpu);

	if (c)
		c->leaving = 0;
}

SEC("struct_ops/acg_cpu_offline")
void BPF_PROG(acg_cpu_offline, s32 cpu)
{
	struct cpu_state *c = cpu_at(cpu);

	if (!c)
		return;
	c->running = 0;
	c->leaving = 1;
	look_now(cpu);
}

/*
 * In partial mode the fair class can take a CPU from us for long. What waits in that CPU's local queue goes back to the
 * shared one, for another CPU to take.
 */
SEC("tp_btf/sched_switch")
int BPF_PROG(acg_taken_over, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	if (prev->policy != SCHED_EXT_POLICY || next->policy == SCHED_EXT_POLICY || !next->pid)
		return 0;
	count(requeued);
	scx_bpf_reenqueue_local___v2___acg();
	return 0;
}

static int unthrottle(void *map, __u32 *key, struct alarm *alarm)
{
	__u64 now = bpf_ktime_get_ns(), next = now + LOOK_MAX;
	__u32 released = 0;
	struct task_struct *p;

	alarm->at = 0;
	bpf_rcu_read_lock();
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
		if (released >= 2 * cpus) { /* no herd: the first ones may use the budget up */
			next = now + LOOK_MIN;
			break;
		}
		if (!quote(p, t, now)) {
			if (before(t->key, next))
				next = t->key;
			continue;
		}
		if (p->nr_cpus_allowed == 1 || p->migration_disabled)
			dsq = DSQ_PINNED + scx_bpf_task_cpu(p);
		book(t);
		scx_bpf_dsq_move_set_vtime(&___it, t->key);
		if (scx_bpf_dsq_move_vtime(&___it, p, dsq, 0)) {
			s32 cpu = dsq == DSQ_SHARED ? scx_bpf_pick_idle_cpu(p->cpus_ptr, 0) : scx_bpf_task_cpu(p);

			released++;
			if (cpu >= 0)
				scx_bpf_kick_cpu(cpu, KICK_IDLE);
		}
	}
	bpf_rcu_read_unlock();
	if (*(volatile __s32 *)&throttled_tasks > 0)
		alarm_set(alarm, next, 0);
	return 0;
}

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
	bpf_timer_set_callback(&alarm->timer, unthrottle);
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
