/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tree of cgroups as the cpu controller reports it: nodes come and go, their weights and limits change.
 */
#ifndef ACG_CGROUPS_BPF_H
#define ACG_CGROUPS_BPF_H

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
	node->vtime = virtual_now - EVER; /* just started: as if it had been asleep */
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
	reweighed_all();
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
	reweighed_all();
}

#endif
