/* SPDX-License-Identifier: GPL-2.0 */
/* bpf/memory.bpf.c attached to a cgroup, as src/control/kernel/memory.ts does it. After guest.h. */
#ifndef MEMORY_H
#define MEMORY_H

#include "cgroup-link.h"

/* Loads the object and attaches it to a directory; the link's descriptor or -errno. `object` is then the one for map(). */
static inline int load_memory(const char *path, const char *directory)
{
	object = load_ops(path, "acg_memory");
	return object ? link_ops(map("acg_memory"), directory, CGROUP_FD) : -EINVAL;
}

static inline void guard(struct acg_guard g)
{
	__u32 zero = 0;

	bpf_map_update_elem(map("acg_guard"), &zero, &g, BPF_ANY);
}

static inline struct acg_growth growth_of(__u64 id)
{
	struct acg_growth found = { 0 };

	bpf_map_lookup_elem(map("acg_growth"), &id, &found);
	return found;
}

static inline double memory(const char *name)
{
	return atof(get(file(name, "memory.current")));
}

#endif
