/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which cgroups are ours: placed as they are made, forgotten as they are removed.
 */
#ifndef ACG_MONITOR_TREE_BPF_H
#define ACG_MONITOR_TREE_BPF_H

static __always_inline bool starts_with(const char *name, const char *prefix, int length)
{
	for (int i = 0; i < length; i++)
		if (name[i] != prefix[i])
			return false;
	return true;
}
#define named(name, prefix) starts_with(name, prefix, sizeof(prefix) - 1)

/* Gives the cgroup its place below its parent's; what is not shaped like our tree stays unknown. */
static __always_inline int place(struct cgroup *cgrp)
{
	struct acg_cgroup entry = {}, *parent;
	__u64 id = BPF_CORE_READ(cgrp, kn, id);
	char name[16] = {};

	parent = acg_lookup(BPF_CORE_READ(cgrp, self.parent, cgroup));
	if (!parent)
		return 0;
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(cgrp, kn, name));
	entry.tenant = parent->tenant;
	entry.session = parent->session;
	entry.leaf = parent->leaf;
	entry.serial = BPF_CORE_READ(cgrp, self.serial_nr);
	entry.level = BPF_CORE_READ(cgrp, level);
	if (parent->kind == ACG_KIND_ROOT && named(name, "tenant-")) {
		entry.kind = ACG_KIND_TENANT;
		entry.tenant = id;
	} else if (parent->kind == ACG_KIND_TENANT && named(name, "session-")) {
		entry.kind = ACG_KIND_SESSION;
		entry.session = id;
	} else if (parent->kind == ACG_KIND_SESSION && starts_with(name, "agent", 6)) {
		entry.kind = ACG_KIND_AGENT;
		entry.leaf = id;
	} else if (parent->kind == ACG_KIND_SESSION && named(name, "tool-")) {
		entry.kind = ACG_KIND_CALL;
		entry.leaf = id;
	} else if (parent->leaf) {
		entry.kind = ACG_KIND_NESTED;
	} else {
		return 0;
	}
	if (bpf_map_update_elem(&acg_cgroups, &id, &entry, BPF_ANY))
		acg_count_lost(ACG_LOST_CGROUP);
	return 0;
}

/* Before anybody can see the new directory. */
SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_made, struct cgroup *cgrp, const char *path)
{
	return place(cgrp);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(cgroup_removed, struct cgroup *cgrp, const char *path)
{
	__u64 id = BPF_CORE_READ(cgrp, kn, id);

	if (!acg_lookup(cgrp))
		return 0;
	bpf_map_delete_elem(&acg_cgroups, &id);
	bpf_map_delete_elem(&acg_usage, &id);
	bpf_map_delete_elem(&acg_counts, &id);
	bpf_map_delete_elem(&acg_agents, &id);
	return 0;
}

/* Run once by user space over the root and all that exists below it, parents first. */
SEC("iter/cgroup")
int place_existing(struct bpf_iter__cgroup *ctx)
{
	struct cgroup *cgrp = ctx->cgroup;
	__u64 id;

	if (!cgrp)
		return 0;
	if (ctx->meta->seq_num == 0) {
		struct acg_cgroup root = {
			.kind = ACG_KIND_ROOT,
			.serial = BPF_CORE_READ(cgrp, self.serial_nr),
			.level = BPF_CORE_READ(cgrp, level),
		};

		id = BPF_CORE_READ(cgrp, kn, id);
		bpf_map_update_elem(&acg_cgroups, &id, &root, BPF_ANY);
		return 0;
	}
	return place(cgrp);
}

#endif
