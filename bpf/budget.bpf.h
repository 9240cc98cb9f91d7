/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How fast a cgroup may grow, and how much headroom is left: the budgets that the memory governor (governor.bpf.h) and
 * memory.bpf.c enforce, each in its own way. Include after shared.bpf.h.
 */
#ifndef ACG_BUDGET_BPF_H
#define ACG_BUDGET_BPF_H

#define LEVELS_MAX 8		/* memory cgroups looked at from the charged one upwards */
#define CALLS_MAX 16384

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CALLS_MAX);
	__type(key, __u64);
	__type(value, struct acg_rate);
} acg_rates SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CALLS_MAX);
	__type(key, __u64);
	__type(value, struct acg_growth);
} acg_growth SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct acg_guard);
} acg_guard SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct acg_governor);
} acg_governor SEC(".maps");

static __always_inline struct acg_governor *governor(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&acg_governor, &zero);
}

/*
 * Near a hard ceiling (memory.max) rates fall with the room that is left: as fast as it grows just now, nobody reaches it within a
 * quarter of a second. The daemon may be late with a higher one, and it is the OOM killer that waits there. No slower than this,
 * though: who stands still cannot be told from who needs nothing.
 */
#define NEAR_PER_SECOND 4
#define NEAR_SLOWEST (2ULL << 20)

/* Whether growth at that rate would come to the hard ceiling sooner. */
static __always_inline bool near_ceiling(__u64 bps, __u64 usage, __u64 hard)
{
	return bps > NEAR_SLOWEST && usage + bps / NEAR_PER_SECOND > hard;
}

/* The rate at which it does not, bytes per second. */
static __always_inline __u64 slope(__u64 usage, __u64 hard)
{
	__u64 bps = hard > usage ? (hard - usage) * NEAR_PER_SECOND : 0;

	return bps > NEAR_SLOWEST ? bps : NEAR_SLOWEST;
}

/*
 * The token bucket, as a line usage must stay below: it rises by rate, but never further than burst above usage, and starts
 * at soft. Debt is not forgiven (usage above the line stays above it until the line has caught up), so the rate holds
 * whatever the size of the charges: a huge page of 2 MiB simply waits eight times as long as a batch of 64 pages.
 * Returns for how long the line needs to catch up.
 *
 * Graded: the rate of normal and low priority falls with how far usage is above soft, to 1 / (1 + priority * overage).
 */
__noinline __u64 growth_wait(__u64 id, __u64 usage, __u64 hard, __u64 now)
{
	struct acg_rate *rate = bpf_map_lookup_elem(&acg_rates, &id);
	struct acg_growth *growth = bpf_map_lookup_elem(&acg_growth, &id);
	__u64 bps, then, gained, over, top;

	if (!rate || !rate->rate)
		return 0;
	if (!growth) {
		struct acg_growth fresh = { .refilled_ns = now, .allowed = usage + rate->burst };

		if (fresh.allowed < rate->soft)
			fresh.allowed = rate->soft;
		bpf_map_update_elem(&acg_growth, &id, &fresh, BPF_NOEXIST);
		growth = bpf_map_lookup_elem(&acg_growth, &id);
		if (!growth)
			return 0;
	}
	bps = rate->rate;
	if (rate->soft && usage > rate->soft && rate->priority) {
		__u64 overage = ((usage - rate->soft) << 8) / rate->soft;

		if (overage > 4 << 8)
			overage = 4 << 8;
		bps = (bps << 8) / ((1 << 8) + rate->priority * overage);
	}
	if (near_ceiling(bps, usage, hard))
		bps = slope(usage, hard);
	growth->usage = usage;
	then = growth->refilled_ns;
	if (before(then, now) && __sync_val_compare_and_swap(&growth->refilled_ns, then, now) == then) {
		gained = now - then;
		if (gained > 10000 * MSEC)
			gained = 10000 * MSEC;
		gained = gained * (bps >> 10) / (1000000000ULL >> 10);
		top = usage + rate->burst;
		if (top < rate->soft)
			top = rate->soft;
		if (growth->allowed + gained > top && growth->allowed + gained > usage)
			growth->allowed = top;
		else
			growth->allowed += gained;
	}
	if (usage <= growth->allowed)
		return 0;
	__sync_fetch_and_add(&growth->overs, 1);
	over = usage - growth->allowed;
	if (over > growth->overshoot)
		growth->overshoot = over;
	if (over > 1ULL << 33)
		over = 1ULL << 33;
	return over * 1000000000ULL / bps;
}

/* Puts the event's structure into the object's BTF, where the loader compares it with its own. */
const struct acg_event_headroom *acg_event_headroom_type __attribute__((unused));

/* Whether the guard has tripped, after looking at the headroom this usage leaves. */
__noinline int guard_look(__u64 usage, __u64 now)
{
	struct acg_event_headroom *event;
	__u32 zero = 0, tripped;
	struct acg_guard *guard = bpf_map_lookup_elem(&acg_guard, &zero);
	__u64 headroom, since;

	if (!guard || !guard->cgroup)
		return 0;
	headroom = guard->limit > usage ? guard->limit - usage : 0;
	guard->headroom = headroom;
	since = guard->tripped_ns;
	if (!since && headroom < guard->low)
		tripped = 1;
	else if (since && headroom >= guard->clear)
		tripped = 0;
	else
		return since != 0;
	if (__sync_val_compare_and_swap(&guard->tripped_ns, since, tripped ? now : 0) != since)
		return tripped;
	if (tripped)
		__sync_fetch_and_add(&guard->trips, 1);
	event = bpf_ringbuf_reserve(&acg_events, sizeof(*event), 0);
	if (!event) {
		acg_count_lost(ACG_EVENT_HEADROOM);
		return tripped;
	}
	__builtin_memset(&event->head, 0, sizeof(event->head));
	event->head.time_ns = now;
	event->head.type = ACG_EVENT_HEADROOM;
	event->head.pid = bpf_get_current_pid_tgid() >> 32;
	event->head.cpu = bpf_get_smp_processor_id();
	event->cgroup = guard->cgroup;
	event->usage = usage;
	event->limit = guard->limit;
	event->tripped = tripped;
	bpf_ringbuf_submit(event, 0);
	return tripped;
}

#endif
