/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who is entitled to how much CPU: the cgroup tree with its weights, flattened into one virtual time.
 *
 * A cgroup's share is the product of weight / (weights of its runnable siblings) up to the root, so only the tasks that
 * are runnable now count. CPU time divided by share is virtual time; every cgroup has an account of it (node.vtime), and
 * the queue is ordered by the virtual time at which a task's next stretch would *end* (weighted fair queueing). Short
 * stretches and large shares therefore go first, and who has used more than its share waits, without further rules.
 *
 * Inner nodes keep an account too. A session that starts a fresh cgroup for every command has no history in the new one;
 * the account of the session (and of the tenant) stops it from always being first.
 */
#ifndef ACG_TREE_BPF_H
#define ACG_TREE_BPF_H

#define NODES_MAX 16384	     /* cgroups with the cpu controller; more share their parent's entry */
#define DEPTH_MAX 12	     /* levels looked at from a leaf upwards */
#define OWN_WEIGHT 100	     /* a cgroup's own tasks compete with its child cgroups like a child of this weight */
#define COST_SHIFT 12	     /* cost = 1 / share in fixed point */
#define COST_MAX (1ULL << 28)

#define SLICE (8 * MSEC)      /* longest stretch between two decisions; enforced at ticks */
#define EXPECT_MIN (MSEC / 2) /* shortest stretch anyone is expected to run */
#define SAVED (12 * MSEC)     /* CPU time a cgroup may have saved up while it slept, at its share */
#define LAG (64 * MSEC)	      /* virtual time it may be behind while it does not sleep */
#define EVER (1ULL << 40)     /* further than any two tasks are apart in virtual time: SLICE at COST_MAX is half of it */
/*
 * Nobody's turn is put off further than this per CPU, whatever its weight: a task that waits for timeout_ms ejects the
 * scheduler. It bounds how small a share can be: one slice in two seconds.
 */
#define AHEAD_MAX (2000 * MSEC)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NODES_MAX);
	__type(key, __u32);
	__type(value, struct acg_node);
} acg_nodes SEC(".maps");

/* The entry of a cgroup. In the cgroup's own storage, so it dies with it: a reused cgroup id never finds it. */
struct {
	__uint(type, BPF_MAP_TYPE_CGRP_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} acg_node_of SEC(".maps");

/* Not bpf_for: its iterator costs more than a level does, and this is walked several times at every wake-up. */
#define each_level(i) _Pragma("clang loop unroll(disable)") for (int i = 0; i < DEPTH_MAX; i++)

static __u64 virtual_now; /* where the latest to start running started */
static __u32 node_cursor;
static __u32 cpus = 1;

static __always_inline struct acg_node *node_at(__u32 index)
{
	return bpf_map_lookup_elem(&acg_nodes, &index);
}

static __u32 node_of(struct cgroup *cgrp)
{
	__u32 *index = cgrp ? bpf_cgrp_storage_get(&acg_node_of, cgrp, 0, 0) : NULL;

	return index ? *index : 0;
}

/*
 * Brings what somebody adds to a node's load (its weight while it has anything runnable, else nothing) in line with the
 * state it is in, and counts those who add something. Whoever swaps counted in applies the difference, so load always
 * equals the sum of what is counted; whoever looked last leaves it right.
 */
static __always_inline void settle(__s32 *runnable, __u32 weight, __u32 *counted, __u64 *load, __s32 *active)
{
	int i;

	for (i = 0; i < 4; i++) {
		__u32 want = *(volatile __s32 *)runnable > 0 ? weight : 0;
		__u32 had = __sync_lock_test_and_set(counted, want);

		if (had == want)
			break;
		__sync_fetch_and_add(load, (__u64)want - had);
		if (!had)
			__sync_fetch_and_add(active, 1);
		if (!want)
			__sync_fetch_and_add(active, -1);
	}
}

/* Adds one runnable task to a node, or takes it away; goes up as long as that changes whether anything is runnable. */
__noinline int node_count(__u32 index, int one)
{
	struct acg_node *node = node_at(index);

	if (!node)
		return 0;
	__sync_fetch_and_add(&node->own, one);
	settle(&node->own, OWN_WEIGHT, &node->own_counted, &node->load, &node->active);
	each_level(i) {
		struct acg_node *parent;

		if (!node->level || !node->counted == !(node->active > 0))
			break;
		parent = node_at(node->parent);
		if (!parent)
			break;
		settle(&node->active, node->weight, &node->counted, &parent->load, &parent->active);
		node = parent;
	}
	return 0;
}

static void node_reweigh(struct acg_node *node)
{
	struct acg_node *parent = node_at(node->parent);

	node->weight = node->idle ? 1 : node->cpu_weight ?: 1;
	if (parent && node->level)
		settle(&node->active, node->weight, &node->counted, &parent->load, &parent->active);
}

static __always_inline __u64 cost_up(__u64 cost, __u64 load, __u64 weight)
{
	if (!weight)
		weight = 1;
	if (load > weight)
		cost = cost * load / weight;
	return cost < COST_MAX ? cost : COST_MAX;
}

static __always_inline __u64 cost_down(__u64 cost, __u64 load, __u64 weight)
{
	if (load > weight)
		cost = cost * weight / load;
	return cost > (1ULL << COST_SHIFT) ? cost : 1ULL << COST_SHIFT;
}

/*
 * How far ahead of the others an account can be for a reason: a stretch each for the tasks (or children) that wait or run,
 * four times over, because a stretch ends at a tick and may be long overdue by then. What is beyond that dates from a smaller
 * weight, and counts no longer.
 */
static __always_inline __u64 ahead_max(__u64 cost, __s32 runnable)
{
	__u64 most = AHEAD_MAX * cpus, fair = (SLICE * cost >> COST_SHIFT) * 4 * ((runnable > 0 ? runnable : 0) + 1);

	return fair < most ? fair : most;
}

/*
 * Charges CPU time to a node and all above it, at the cost it was quoted; what had been reserved for it in the node's own
 * account is returned.
 */
__noinline int node_charge(__u32 index, __u64 ran, __u64 reserved, __u64 cost)
{
	struct acg_node *node = node_at(index);
	__u64 oldest = virtual_now - LAG - 2 * (SLICE * cost >> COST_SHIFT), most;

	if (!node)
		return 0;
	__sync_fetch_and_add(&node->vtime, (ran * cost >> COST_SHIFT) - reserved);
	__sync_fetch_and_add(&node->run_ns, ran);
	cost = cost_down(cost, node->load, OWN_WEIGHT);
	each_level(i) {
		struct acg_node *parent;

		if (node->quota_ns)
			__sync_fetch_and_sub(&node->budget_ns, ran);
		if (!node->level)
			break;
		parent = node_at(node->parent);
		if (!parent)
			break;
		if (i && parent->load <= node->weight) {
			node->vtime = virtual_now; /* nobody to compete with */
		} else if (i) {
			if (before(node->vtime, oldest))
				node->vtime = oldest; /* credit is not kept over idle times */
			__sync_fetch_and_add(&node->vtime, ran * cost >> COST_SHIFT);
			most = virtual_now + ahead_max(cost, node->active);
			if (before(most, node->vtime))
				node->vtime = most;
		}
		cost = cost_down(cost, parent->load, node->weight);
		node = parent;
	}
	return 0;
}

/*
 * Where a node's next task may start in virtual time: its own account, unless those above it are further on. *cost: virtual
 * nanoseconds per nanosecond of it, << COST_SHIFT. slept: the task did not want the CPU until now.
 */
__noinline __u64 node_start(__u32 index, bool slept, __u64 *cost)
{
	__u64 start, now = virtual_now, above = now - EVER, price = 1ULL << COST_SHIFT, slack, credit, ahead;
	struct acg_node *leaf = node_at(index), *node = leaf;

	if (!cost)
		return now;
	*cost = price;
	if (!leaf)
		return now;
	price = cost_up(price, leaf->load, OWN_WEIGHT);
	each_level(i) {
		struct acg_node *parent;

		if (!node->level)
			break;
		parent = node_at(node->parent);
		if (!parent)
			break;
		/*
		 * Without anybody to compete with, the account says nothing: it also has what was used on credit, which
		 * virtual_now has not.
		 */
		if (i && parent->load > node->weight && before(above, node->vtime))
			above = node->vtime;
		price = cost_up(price, parent->load, node->weight);
		node = parent;
	}
	*cost = price;
	ahead = ahead_max(price, leaf->own);
	if (before(now + ahead, leaf->vtime))
		leaf->vtime = now + ahead;
	start = leaf->vtime;
	slack = SLICE * price >> COST_SHIFT; /* one stretch: children take turns, so the sum of them is ahead of each */
	if (before(start, above - slack))
		start = above - slack;
	/* who never stopped wanting the CPU may be further behind: more than a turn of all others takes */
	credit = slept ? SAVED * price >> COST_SHIFT : LAG + slack;
	if (before(start, now - credit))
		start = now - credit;
	if (before(now + ahead, start))
		start = now + ahead;
	return start;
}

/* Takes a place in the queue: the node's account moves to the end of the stretch at once, so that its next task queues behind. */
static void node_reserve(__u32 index, __u64 start, __u64 reserve)
{
	struct acg_node *node = node_at(index);

	if (!node)
		return;
	if (before(node->vtime, start))
		node->vtime = start;
	__sync_fetch_and_add(&node->vtime, reserve);
}

static __s32 node_allocate(void)
{
	__u32 i;

	bpf_for(i, 0, NODES_MAX) {
		__u32 index = (node_cursor + i) % NODES_MAX;
		struct acg_node *node = node_at(index);

		if (index && node && !__sync_val_compare_and_swap(&node->used, 0, 1)) {
			node_cursor = index + 1;
			return index;
		}
	}
	return -1;
}

static void node_free(__u32 index)
{
	struct acg_node *node = node_at(index);

	if (!node || !index)
		return;
	node->cgroup = 0;
	node->used = 0;
}

#endif
