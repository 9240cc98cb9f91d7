// SPDX-License-Identifier: GPL-2.0
/*
 * Memory policy on a kernel with memcg_bpf_ops (kernel/patches): the same budgets as the memory governor's, kept by delaying
 * the charge itself instead of what comes after it; and protection of what a session needs now. See bpf/README.md.
 *
 * A delay is slept where the charge is made, with the locks of the page fault or the write held. So it is short, comes only
 * when there is something to gain, and cannot follow another one without end.
 */
#include "vmlinux-min.h"
#include "shared.bpf.h"
#include "budget.bpf.h"

#define DELAY_MIN_MS 11	   /* the kernel sleeps for nothing up to a hundredth of a second, rounded to its ticks; debt is kept */
#define DELAY_MAX_MS 100   /* one delay: what others wait at most for a lock that is held meanwhile */
#define GUARD_DELAY_MS 100 /* of low priority while the guard has tripped */
#define BUDGET_MS 900	   /* of delay in a second, until the task has */
#define FLOOR_PAGES 256	   /* grown by this much: it is slow, but it gets on */
#define SECOND (1000 * MSEC)
#define REFAULTING (2000 * MSEC) /* how long a refault counts: counters are brought up to date every two seconds */
#define COLD_SHIFT 3	   /* more than one eighth unused of late: reclaim has something to take without harm */

/* Id of the cgroup it is attached to, set by the loader: what is pinned for another one is another program. */
const volatile __u64 acg_place = 0;

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

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CALLS_MAX);
	__type(key, __u64);
	__type(value, struct acg_need);
} acg_needs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct acg_protection);
} acg_protection SEC(".maps");

/* Refaults of a cgroup when reclaim last asked about it, and when they were last seen to rise. Key: cgroup id. */
struct refaults {
	__u64 count;
	__u64 risen_ns;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, CALLS_MAX);
	__type(key, __u64);
	__type(value, struct refaults);
} acg_refaults SEC(".maps");

extern unsigned long bpf_mem_cgroup_page_state(struct mem_cgroup *memcg, int idx) __weak __ksym;

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
__noinline int look_at(__u64 id, __u64 usage, struct levels *l, __u64 now)
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
		more = growth_wait(id, usage, now);
		/*
		 * A call's band says who has to wait when somebody has to. A pace from the first byte on, and what a limit stands
		 * above, is to be kept in any case.
		 */
		if (!l->found && rate->soft) {
			struct acg_growth *growth = bpf_map_lookup_elem(&acg_growth, &id);

			l->counts = band_counts(guard);
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
		int look = look_at(memcg->css.cgroup->kn->id, (__u64)memcg->memory.usage.counter * acg_page_size, l, now);

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

/* The session a cgroup belongs to: its needs, and its usage. */
static __always_inline struct acg_need *need_of(struct page_counter *counter, __u64 *usage)
{
	int i;

	bpf_for(i, 0, LEVELS_MAX) {
		struct mem_cgroup *memcg =
			bpf_core_cast((void *)counter - bpf_core_field_offset(struct mem_cgroup, memory), struct mem_cgroup);
		__u64 id = memcg->css.cgroup->kn->id;
		struct acg_need *need = bpf_map_lookup_elem(&acg_needs, &id);

		*usage = (__u64)memcg->memory.usage.counter * acg_page_size;
		if (need)
			return need;
		counter = memcg->memory.parent;
		if (!counter)
			break;
	}
	return NULL;
}

/* Whether pages that were taken from this cgroup have come back of late. */
static __always_inline bool refaulting(struct mem_cgroup *memcg, __u64 now, struct acg_protection *counts)
{
	__u64 id = memcg->css.cgroup->kn->id, count;
	struct refaults *seen = bpf_map_lookup_elem(&acg_refaults, &id), fresh = {};

	count = bpf_mem_cgroup_page_state(memcg, bpf_core_enum_value(enum node_stat_item, WORKINGSET_REFAULT_ANON)) +
		bpf_mem_cgroup_page_state(memcg, bpf_core_enum_value(enum node_stat_item, WORKINGSET_REFAULT_FILE));
	if (!seen) {
		fresh.count = count;
		bpf_map_update_elem(&acg_refaults, &id, &fresh, BPF_NOEXIST);
		return false;
	}
	if (count > seen->count) {
		seen->count = count;
		seen->risen_ns = now;
		counts->refaults++;
	}
	return seen->risen_ns && now - seen->risen_ns < REFAULTING;
}

/*
 * Whether a cgroup is to be spared: its session runs calls or it refaults, the session is within its bound, and what the
 * cgroup has is what it uses. What is that is the kernel's own estimate: pages it has not found used of late are inactive.
 */
static __always_inline struct acg_need *spared(struct mem_cgroup *memcg, unsigned long pages, struct acg_protection *counts)
{
	__u64 now = bpf_ktime_get_ns(), usage = 0, cold;
	struct acg_need *need = need_of(&memcg->memory, &usage);
	bool again;

	if (!need)
		return NULL;
	counts->asked++;
	again = refaulting(memcg, now, counts); /* first: it has to be looked at each time */
	if (!need->running && !again) {
		counts->idle++;
		return NULL;
	}
	if (usage > need->most) {
		counts->over++;
		return NULL;
	}
	cold = bpf_mem_cgroup_page_state(memcg, bpf_core_enum_value(enum node_stat_item, NR_INACTIVE_ANON)) +
	       bpf_mem_cgroup_page_state(memcg, bpf_core_enum_value(enum node_stat_item, NR_INACTIVE_FILE));
	if (cold > ((__u64)pages * acg_page_size) >> COLD_SHIFT) {
		counts->cold++;
		return NULL;
	}
	return need;
}

static __always_inline struct acg_protection *protection(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&acg_protection, &zero);
}

SEC("struct_ops/below_low")
bool BPF_PROG(acg_below_low, struct mem_cgroup *memcg, unsigned long elow, unsigned long usage)
{
	struct acg_protection *counts = protection();

	if (!counts || !spared(memcg, usage, counts))
		return false;
	counts->low++;
	return true;
}

/* Only the agent leaf of a high-priority session: all that must not be slow, and little enough that it cannot cause an OOM. */
SEC("struct_ops/below_min")
bool BPF_PROG(acg_below_min, struct mem_cgroup *memcg, unsigned long emin, unsigned long usage)
{
	struct acg_protection *counts = protection();
	struct acg_cgroup *whose = acg_lookup(memcg->css.cgroup);
	struct acg_need *need;

	if (!counts || !whose || whose->kind != ACG_KIND_AGENT)
		return false;
	need = spared(memcg, usage, counts);
	if (!need || need->priority != ACG_PRIORITY_HIGH)
		return false;
	counts->min++;
	return true;
}

/* Ids are reused: nothing of a cgroup may be left when the next one gets its id. */
SEC("struct_ops/handle_cgroup_offline")
void BPF_PROG(acg_memory_offline, struct mem_cgroup *memcg)
{
	__u64 id = memcg->css.cgroup->kn->id;

	bpf_map_delete_elem(&acg_rates, &id);
	bpf_map_delete_elem(&acg_growth, &id);
	bpf_map_delete_elem(&acg_needs, &id);
	bpf_map_delete_elem(&acg_refaults, &id);
}

struct memcg_bpf_ops {
	void (*handle_cgroup_online)(struct mem_cgroup *memcg);
	void (*handle_cgroup_offline)(struct mem_cgroup *memcg);
	bool (*below_low)(struct mem_cgroup *memcg, unsigned long elow, unsigned long usage);
	bool (*below_min)(struct mem_cgroup *memcg, unsigned long emin, unsigned long usage);
	unsigned int (*memcg_charged)(struct mem_cgroup *memcg, unsigned int nr_pages);
	void (*memcg_uncharged)(struct mem_cgroup *memcg, unsigned int nr_pages);
};

SEC(".struct_ops.link")
struct memcg_bpf_ops acg_memory = {
	.handle_cgroup_offline = (void *)acg_memory_offline,
	.below_low = (void *)acg_below_low,
	.below_min = (void *)acg_below_min,
	.memcg_charged = (void *)acg_charged,
};
