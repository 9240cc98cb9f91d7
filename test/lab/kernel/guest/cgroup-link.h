/* SPDX-License-Identifier: GPL-2.0 */
/* BPF_LINK_CREATE of a struct_ops map at a cgroup, as src/control/kernel/cgroup-attach.ts makes it. After guest.h. */
#ifndef CGROUP_LINK_H
#define CGROUP_LINK_H

#define CGROUP_FD (1U << 7)
#define STRUCT_OPS 44 /* enum bpf_attach_type */

/* Opens an object and loads it, with the struct_ops map filled in but not attached. NULL and a line of output: refused. */
static inline struct bpf_object *load_ops(const char *path, const char *ops)
{
	struct bpf_object *o;
	struct bpf_link *none;

	libbpf_set_print(printer);
	o = bpf_object__open_file(path, NULL);
	if (!o || bpf_object__load(o)) {
		printf("# load %s: %s\n", path, strerror(errno));
		return NULL;
	}
	libbpf_set_print(NULL); /* what comes next is refused, and meant to be: it only fills the map in */
	none = bpf_map__attach_struct_ops(bpf_object__find_map_by_name(o, ops));
	libbpf_set_print(printer);
	if (none || errno != EINVAL) {
		printf("# attached to no cgroup: %s\n", strerror(errno));
		return NULL;
	}
	return o;
}

/* A link's descriptor, or -errno. */
static inline int link_ops(int ops, const char *directory, unsigned flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
	int cgroup = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), link;

	if (cgroup < 0)
		return -errno;
	link = bpf_link_create(ops, cgroup, STRUCT_OPS, &options);
	if (link < 0)
		link = -errno;
	close(cgroup);
	return link;
}

#endif
