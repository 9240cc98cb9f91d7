/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cpu.max. The core enforces it for its own classes only, so a sched_ext scheduler has to, or limits set by others silently
 * stop working.
 *
 * Every node with a limit has a budget, filled by one quota a period and drained by all CPU time used in it or below. Ticks
 * notice an empty budget late, so it may go negative; the overrun is paid back from the following periods, which keeps the
 * average exact. Tasks that find a budget empty wait in DSQ_THROTTLED, ordered by when to look again.
 */
#ifndef ACG_BANDWIDTH_BPF_H
#define ACG_BANDWIDTH_BPF_H

#define LOOK_MIN (1 * MSEC)	/* a throttled task is looked at again no sooner than this, */
#define LOOK_MAX (20 * MSEC)	/* and the queue of them no later */
#define THROTTLE_MAX (5000 * MSEC) /* far below timeout_ms: who waited this long runs once, whatever its debt */
#define SLICE_MIN (1 * MSEC)
#define ALARM_OVERDUE (200 * MSEC) /* more than any of our alarms is set ahead */

struct alarm {
	struct bpf_timer timer;
	__u64 at;		/* armed for; 0: not */
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct alarm);
} bandwidth_alarm SEC(".maps");

static __s32 limited_nodes; /* how many have a quota: nearly always 0, and then nobody pays for any of this */
static __s32 throttled_tasks;

/*
 * Makes the alarm ring at that time, or earlier if it was to ring earlier anyway. False: it cannot be set now (no memory).
 * An alarm long overdue is not believed in.
 */
static __always_inline bool alarm_set(struct alarm *alarm, __u64 at, __u64 flags)
{
	__u64 set = alarm->at;

	if (set && !before(at, set) && before(at, set + ALARM_OVERDUE))
		return true;
	alarm->at = at;
	if (!bpf_timer_start(&alarm->timer, at, BPF_F_TIMER_ABS | flags))
		return true;
	alarm->at = 0;
	return false;
}

static void budget_refill(struct acg_node *node, __u64 now)
{
	__u64 start = node->period_start_ns, period = node->period_ns ?: 100 * MSEC, periods;
	__s64 most = node->quota_ns + node->burst_ns, budget;

	if (before(now, start + period))
		return;
	periods = (now - start) / period;
	if (__sync_val_compare_and_swap(&node->period_start_ns, start, start + periods * period) != start)
		return; /* another CPU does it */
	if (periods > 10000)
		periods = 10000;
	budget = node->budget_ns;
	if (budget + (__s64)(periods * node->quota_ns) > most)
		__sync_fetch_and_add(&node->budget_ns, most - budget);
	else
		__sync_fetch_and_add(&node->budget_ns, periods * node->quota_ns);
}

/* When a task of this node may run again under every cpu.max above it; 0: now. *slice is cut to what is left. */
__noinline __u64 bandwidth_wait(__u32 index, __u64 now, __u64 *slice)
{
	struct acg_node *node = node_at(index);
	__u64 until = 0;
	int i;

	if (!slice)
		return 0;
	bpf_for(i, 0, DEPTH_MAX) {
		if (!node)
			break;
		if (node->quota_ns) {
			budget_refill(node, now);
			if (node->budget_ns <= 0) {
				__u64 next = node->period_start_ns + node->period_ns;

				if (before(next, now + LOOK_MIN))
					next = now + LOOK_MIN;
				if (before(until, next))
					until = next;
			} else if (node->budget_ns < (__s64)*slice) {
				*slice = node->budget_ns;
			}
		}
		if (!node->level)
			break;
		node = node_at(node->parent);
	}
	if (*slice < SLICE_MIN)
		*slice = SLICE_MIN;
	return until;
}

static void node_limit(struct acg_node *node, __u64 period_us, __u64 quota_us, __u64 burst_us)
{
	__u64 had = node->quota_ns;

	if (quota_us >= BANDWIDTH_UNLIMITED / 1000) {
		node->quota_ns = 0;
		if (had)
			__sync_fetch_and_add(&limited_nodes, -1);
		return;
	}
	node->period_ns = period_us * 1000;
	node->burst_ns = burst_us * 1000;
	node->period_start_ns = bpf_ktime_get_ns();
	node->budget_ns = quota_us * 1000;
	node->quota_ns = quota_us * 1000;
	if (!had)
		__sync_fetch_and_add(&limited_nodes, 1);
}

#endif
