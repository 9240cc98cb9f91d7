/* SPDX-License-Identifier: GPL-2.0 */
/* bpf/memory.bpf.c attached to a cgroup, as src/control/kernel/memory.ts does it. After guest.h. */
#ifndef MEMORY_H
#define MEMORY_H

#define CGROUP_FD (1U << 7)
#define STRUCT_OPS 44 /* enum bpf_attach_type */

/* Loads the object and attaches it to a directory; the link's descriptor or -errno. `object` is then the one for map(). */
static inline int load_memory(const char *path, const char *directory)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = CGROUP_FD);
	int cgroup, link;

	libbpf_set_print(printer);
	object = bpf_object__open_file(path, NULL);
	if (!object || bpf_object__load(object))
		return -errno;
	libbpf_set_print(NULL); /* what comes next is refused, and meant to be: it fills the map in */
	bpf_map__attach_struct_ops(bpf_object__find_map_by_name(object, "acg_memory"));
	libbpf_set_print(printer);
	cgroup = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	link = bpf_link_create(map("acg_memory"), cgroup, STRUCT_OPS, &options);
	if (link < 0)
		link = -errno;
	close(cgroup);
	return link;
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
