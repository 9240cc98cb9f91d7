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
#define INTERACTIVE (2 * MSEC) /* who sleeps after less than this on average is interactive */
#define BOOST (12 * MSEC)     /* credit a cgroup may have saved up while its interactive task slept */
#define LAG (64 * MSEC)	      /* credit it may have while it does not sleep: more than a turn of others takes */
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

	bpf_for(i, 0, 4) {
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
	int i;

	if (!node)
		return 0;
	__sync_fetch_and_add(&node->own, one);
	settle(&node->own, OWN_WEIGHT, &node->own_counted, &node->load, &node->active);
	bpf_for(i, 0, DEPTH_MAX) {
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

/* Virtual nanoseconds per nanosecond of one of the node's own tasks, << COST_SHIFT. */
__noinline __u64 node_cost(__u32 index)
{
	struct acg_node *node = node_at(index);
	__u64 cost = 1ULL << COST_SHIFT;
	int i;

	if (!node)
		return cost;
	cost = cost_up(cost, node->load, OWN_WEIGHT);
	bpf_for(i, 0, DEPTH_MAX) {
		struct acg_node *parent;

		if (!node->level)
			break;
		parent = node_at(node->parent);
		if (!parent)
			break;
		cost = cost_up(cost, parent->load, node->weight);
		node = parent;
	}
	return cost;
}

/* Charges CPU time to a node and all above it; what had been reserved for it in the node's own account is returned. */
__noinline int node_charge(__u32 index, __u64 ran, __u64 reserved)
{
	struct acg_node *node = node_at(index);
	__u64 cost = node_cost(index), oldest = virtual_now - LAG - 2 * (SLICE * cost >> COST_SHIFT);
	int i;

	if (!node)
		return 0;
	__sync_fetch_and_add(&node->vtime, (ran * cost >> COST_SHIFT) - reserved);
	__sync_fetch_and_add(&node->run_ns, ran);
	cost = cost_down(cost, node->load, OWN_WEIGHT);
	bpf_for(i, 0, DEPTH_MAX) {
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
		}
		cost = cost_down(cost, parent->load, node->weight);
		node = parent;
	}
	return 0;
}

/* Where a node's next task may start in virtual time: its own account, unless those above it are further on. */
__noinline __u64 node_start(__u32 index, __u64 cost, __u64 credit)
{
	struct acg_node *node = node_at(index);
	__u64 start, now = virtual_now, slack = SLICE * cost >> COST_SHIFT;
	int i;

	if (!node)
		return now;
	start = node->vtime;
	bpf_for(i, 0, DEPTH_MAX) {
		struct acg_node *parent;

		if (!node->level)
			break;
		parent = node_at(node->parent);
		if (!parent)
			break;
		/*
		 * One stretch of slack: children take turns, so the sum of them is ahead of each. Without anybody to compete with,
		 * the account says nothing: it also has what was used on credit, which virtual_now has not.
		 */
		if (i && parent->load > node->weight && before(start, node->vtime - slack))
			start = node->vtime - slack;
		node = parent;
	}
	if (before(start, now - credit))
		start = now - credit;
	if (before(now + AHEAD_MAX * cpus, start))
		start = now + AHEAD_MAX * cpus;
	return start;
}

/* Takes a place in the queue: the node's account moves to the end of the stretch at once, so that its next task queues behind. */
static void node_reserve(__u32 index, __u64 start, __u64 reserve)
{
	struct acg_node *node = node_at(index);

	if (!node)
		return;
	if (before(node->vtime, start) || before(virtual_now + AHEAD_MAX * cpus, node->vtime))
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
