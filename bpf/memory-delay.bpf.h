/* SPDX-License-Identifier: GPL-2.0 */
/*
 * memory.bpf.c's delays: the budgets of budget.bpf.h kept at the charge. Include after budget.bpf.h.
 *
 * A delay is slept where the charge is made, with the locks of the page fault or the write held. So it is short, comes only
 * when there is something to gain, and cannot follow another one without end.
 */
#ifndef ACG_MEMORY_DELAY_BPF_H
#define ACG_MEMORY_DELAY_BPF_H

#define DELAY_MIN_MS 11	   /* the kernel sleeps for nothing up to a hundredth of a second, rounded to its ticks; debt is kept */
#define DELAY_MAX_MS 100   /* one delay: what others wait at most for a lock that is held meanwhile */
#define GUARD_DELAY_MS 100 /* of low priority while the guard has tripped */
#define BUDGET_MS 900	   /* of delay in a second, until the task has */
#define FLOOR_PAGES 256	   /* grown by this much: it is slow, but it gets on */
#define SECOND (1000 * MSEC)

/* A delay budget per task. */
struct spent {
	__u64 since_ns;
	__u32 ms;
	__u32 pages;
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct spent);
} acg_spent SEC(".maps");

/* What one charged cgroup and those above it have to say. */
struct levels {
	__u64 wait_ns;	/* longest a budget demands that counts whatever the headroom */
	__u64 band_ns;	/* what the call's band demands with so little headroom, */
	__u64 excess;	/* for so many bytes, */
	__u32 counts;	/* and in how far it counts, in 256ths */
	__u64 first;	/* id of the call */
	__u32 found;	/* levels with a budget */
	__u32 priority; /* the call's */
	__u32 tripped;	/* the guard, and it is low priority */
};

/* In how far a band counts, in 256ths: not at all with the guard's clear or more left, in full with low or less, or without it. */
static __always_inline __u32 band_counts(const struct acg_guard *guard)
{
	__u64 headroom, low, clear;

	if (!guard || !guard->cgroup)
		return 256;
	headroom = guard->headroom; /* at the last charge: it is looked at further up */
	low = guard->low;
	clear = guard->clear;
	if (headroom >= clear)
		return 0;
	if (headroom <= low || clear <= low)
		return 256;
	return ((clear - headroom) << 8) / (clear - low);
}

enum look { LOOK_UP, LOOK_ENOUGH, LOOK_NOBODY };

/*
 * What one cgroup on the way up has to say. A global function, which the verifier looks at once: inlined it would follow every
 * value that `l` can have on every level.
 */
__noinline int look_at(__u64 id, __u64 usage, __u64 hard, struct levels *l, __u64 now)
{
	struct acg_rate *rate = bpf_map_lookup_elem(&acg_rates, &id);
	__u32 zero = 0;
	struct acg_guard *guard = bpf_map_lookup_elem(&acg_guard, &zero);

	if (!l)
		return LOOK_NOBODY;
	if (rate) {
		__u64 more;

		if (rate->flags & ACG_RATE_RELEASED)
			return LOOK_NOBODY;
		if (!l->found) {
			if (!(rate->flags & ACG_RATE_CALL))
				return LOOK_NOBODY; /* an agent leaf, or something else that is never delayed */
			l->priority = rate->priority;
			l->first = id;
		}
		more = growth_wait(id, usage, hard, now);
		/*
		 * A call's band says who has to wait when somebody has to, be it because its own hard ceiling is near. A pace from the
		 * first byte on, and what a limit stands above, is to be kept in any case.
		 */
		if (!l->found && rate->soft) {
			struct acg_growth *growth = bpf_map_lookup_elem(&acg_growth, &id);

			l->counts = near_ceiling(rate->rate, usage, hard) ? 256 : band_counts(guard);
			l->band_ns = (more >> 8) * l->counts;
			if (growth && more && usage > growth->allowed)
				l->excess = usage - growth->allowed;
		} else if (more > l->wait_ns)
			l->wait_ns = more;
		l->found++;
	}
	if (!guard || guard->cgroup != id)
		return LOOK_UP;
	l->tripped = guard_look(usage, now) && l->found && l->priority == ACG_PRIORITY_LOW;
	return LOOK_ENOUGH;
}

/* Goes up from the charged cgroup. False: nobody is delayed here. */
static __always_inline bool look_up(struct page_counter *counter, struct levels *l, __u64 now)
{
	int i;

	bpf_for(i, 0, LEVELS_MAX) {
		struct mem_cgroup *memcg =
			bpf_core_cast((void *)counter - bpf_core_field_offset(struct mem_cgroup, memory), struct mem_cgroup);
		int look = look_at(memcg->css.cgroup->kn->id, (__u64)memcg->memory.usage.counter * acg_page_size,
				   memcg->memory.max * acg_page_size, l, now);

		if (look == LOOK_NOBODY)
			return false;
		counter = memcg->memory.parent;
		if (look == LOOK_ENOUGH || !counter)
			break;
	}
	return l->found;
}

/* Whether the task's budget allows that delay, which is then spent. */
static __always_inline bool spend(__u32 ms, __u32 pages, __u64 now)
{
	struct spent *spent = bpf_task_storage_get(&acg_spent, bpf_get_current_task_btf(), 0,
						   BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!spent)
		return false; /* no memory for it: not the time to make anybody wait */
	if (now - spent->since_ns > SECOND) {
		spent->since_ns = now;
		spent->ms = 0;
		spent->pages = 0;
	}
	spent->pages += pages;
	if (!ms || (spent->ms + ms > BUDGET_MS && spent->pages < FLOOR_PAGES))
		return false;
	spent->ms += ms;
	return true;
}

/* What nobody has to wait for is no debt either, or it would only be waited for later. */
static __always_inline void forgive(struct acg_growth *growth, const struct levels *l)
{
	growth->allowed += (l->excess * (256 - l->counts)) >> 8;
}

SEC("struct_ops/memcg_charged")
unsigned int BPF_PROG(acg_charged, struct mem_cgroup *memcg, unsigned int pages)
{
	struct levels l = {};
	struct acg_governor *counts = governor();
	__u64 now = bpf_ktime_get_ns(), ms;
	struct acg_growth *growth;

	if (!counts)
		return 0;
	counts->charges++;
	if (!look_up(&memcg->memory, &l, now))
		return 0;
	growth = bpf_map_lookup_elem(&acg_growth, &l.first);
	if (growth && l.excess && !l.counts)
		forgive(growth, &l);
	ms = ((l.band_ns > l.wait_ns ? l.band_ns : l.wait_ns) + MSEC - 1) / MSEC;
	if (l.tripped && ms < GUARD_DELAY_MS)
		ms = GUARD_DELAY_MS;
	if (!ms)
		return 0;
	counts->overs++;
	if (ms > DELAY_MAX_MS)
		ms = DELAY_MAX_MS;
	if (ms < DELAY_MIN_MS)
		ms = 0; /* too short to be slept; the budget remembers it */
	if (!spend(ms, pages, now)) {
		counts->short_holds++;
		return 0;
	}
	counts->holds++;
	counts->held_ns += ms * MSEC;
	if (growth) {
		if (l.excess)
			forgive(growth, &l);
		__sync_fetch_and_add(&growth->holds, 1);
		__sync_fetch_and_add(&growth->held_ns, ms * MSEC);
	}
	return ms;
}

#endif
