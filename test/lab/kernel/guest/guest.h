/* What the checks run inside the guest share: cgroups as files, workloads as processes, the object's maps. */
#ifndef GUEST_H
#define GUEST_H
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/types.h>
#include "../../../../bpf/agentcgroup.h"

#define ROOT "/sys/fs/cgroup/acg"
#define MIB (1024ULL * 1024)

static inline double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static inline void nap(double seconds)
{
	struct timespec t = { (time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9) };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static inline int put(const char *path, const char *format, ...)
{
	char text[128];
	va_list list;
	int fd = open(path, O_WRONLY), n, error;

	va_start(list, format);
	n = vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	if (fd < 0) {
		printf("# open %s: %s\n", path, strerror(errno));
		return -1;
	}
	error = write(fd, text, n) == n ? 0 : -errno;
	if (error)
		printf("# write %s > %s: %s\n", text, path, strerror(-error));
	close(fd);
	return error;
}

static inline const char *get(const char *path)
{
	static __thread char text[1 << 14];
	int fd = open(path, O_RDONLY), n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	return text;
}

/* A cgroup below ROOT, with cpu and memory enabled all the way down. */
static inline __u64 group(const char *name)
{
	char path[256], *slash;
	struct stat s;

	snprintf(path, sizeof(path), "%s/%s", ROOT, name);
	for (slash = path + strlen("/sys/fs/cgroup/"); slash; slash = strchr(slash + 1, '/')) {
		char up[300];

		if (*slash == '/')
			*slash = 0;
		else {
			snprintf(up, sizeof(up), "/sys/fs/cgroup/cgroup.subtree_control");
			put(up, "+cpu +memory +cpuset +pids");
			continue;
		}
		mkdir(path, 0755);
		snprintf(up, sizeof(up), "%s/cgroup.subtree_control", path);
		put(up, "+cpu +memory +cpuset +pids");
		*slash = '/';
	}
	mkdir(path, 0755);
	return stat(path, &s) ? 0 : s.st_ino;
}

static inline const char *file(const char *name, const char *leaf)
{
	static __thread char path[4][256];
	static __thread int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s/%s", ROOT, name, leaf);
	return path[turn];
}

static inline void ungroup(const char *name)
{
	char path[256];
	int i;

	snprintf(path, sizeof(path), "%s/%s", ROOT, name);
	for (i = 0; i < 500 && rmdir(path) && errno == EBUSY; i++)
		nap(0.01);
}

/* A child inside the cgroup, with policy SCHED_EXT (7) or the normal one; runs body and exits. */
static inline pid_t child(const char *name, int policy, void (*body)(void *), void *arg)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		struct sched_param none = { 0 };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_range(3, ~0U, 0); /* an inherited link would keep the scheduler attached */
		put(file(name, "cgroup.procs"), "%d", getpid());
		if (policy && sched_setscheduler(0, policy, &none))
			printf("# sched_setscheduler %d: %s\n", policy, strerror(errno));
		body(arg);
		fflush(stdout);
		_exit(0);
	}
	return pid;
}

struct grow {
	size_t mib;
	bool huge;
	int threads;
	double *went; /* shared: seconds the growing itself took */
};

static void *grow_part(void *arg)
{
	struct grow *g = arg;
	size_t size = g->mib * MIB, i;
	char *at = mmap(0, size + 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	at = (char *)(((size_t)at + 2 * MIB - 1) & ~(2 * MIB - 1));
	madvise(at, size, g->huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	for (i = 0; i < size; i += 4096)
		at[i] = 1;
	return NULL;
}

/* Touches memory page by page, in one or several threads. */
static inline void grow(void *arg)
{
	struct grow *g = arg;
	pthread_t thread[64];
	double begin = now();
	int i;

	for (i = 1; i < g->threads; i++)
		pthread_create(&thread[i], NULL, grow_part, g);
	grow_part(g);
	for (i = 1; i < g->threads; i++)
		pthread_join(thread[i], NULL);
	if (g->went)
		*g->went = now() - begin;
}

struct range {
	const char *file;
	off_t from;
	size_t length;
	int *done; /* shared: set when all of it is there */
};

/* Brings a part of a file into the page cache, by way of a mapping, and stays. */
static inline void cache(void *arg)
{
	struct range *r = arg;
	int fd = open(r->file, O_RDONLY), round;
	volatile char sum = 0;
	char *at = mmap(0, r->length, PROT_READ, MAP_SHARED, fd, r->from);
	size_t i;

	for (round = 0; round < 2; round++)
		for (i = 0; i < r->length; i += 4096)
			sum += at[i];
	*r->done = 1;
	pause();
}

/* The host serves files in its own time, which the guest's clock does not know: wait for what happens, not for how long. */
static inline void cached(struct range *r)
{
	while (!*(volatile int *)r->done)
		nap(0.05);
}

static inline void spin(void *arg)
{
	volatile unsigned long n = 0;

	for (;;)
		n++;
}

static inline void *shared_page(void)
{
	return mmap(0, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* Waits; kills and reports after that many seconds. */
static inline int reap(pid_t pid, double seconds)
{
	double end = now() + seconds;
	int status = -1;

	while (now() < end) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		nap(0.0005);
	}
	printf("# pid %d did not end in %.1f s\n", pid, seconds);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

static inline void stop(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

static struct bpf_object *object;
static struct bpf_link *links[16];
static int link_count;
static int verbose;

static inline int printer(enum libbpf_print_level level, const char *format, va_list args)
{
	return level > (verbose ? LIBBPF_DEBUG : LIBBPF_WARN) ? 0 : vprintf(format, args);
}

static inline int map(const char *name)
{
	return bpf_object__find_map_fd_by_name(object, name);
}

static inline void unload(void)
{
	while (link_count)
		bpf_link__destroy(links[--link_count]);
	if (object)
		bpf_object__close(object);
	object = NULL;
}

/* Where timeout_ms is in struct sched_ext_ops of bpf/scx.bpf.h: after 20 operations and flags. */
#define TIMEOUT_MS_AT (21 * 8)
static __u32 watchdog_ms; /* other than the object's own, when a check wants to see it bark */

/* Loads the object and attaches all of it; table: acg_partial or acg_full; NULL: no scheduler. */
static inline int load(const char *path, const char *table)
{
	struct bpf_program *program;
	struct bpf_map *m;
	int error;

	libbpf_set_print(printer);
	object = bpf_object__open_file(path, NULL);
	if (!object)
		return -errno;
	bpf_object__for_each_map(m, object)
		if (bpf_map__type(m) == BPF_MAP_TYPE_STRUCT_OPS) {
			bpf_map__set_autocreate(m, table && !strcmp(bpf_map__name(m), table));
			if (watchdog_ms)
				memcpy((char *)bpf_map__initial_value(m, NULL) + TIMEOUT_MS_AT, &watchdog_ms, 4);
		}
	error = bpf_object__load(object);
	if (error)
		return error;
	bpf_object__for_each_program(program, object) {
		struct bpf_link *link;

		if (bpf_program__type(program) == BPF_PROG_TYPE_STRUCT_OPS ||
		    bpf_program__type(program) == BPF_PROG_TYPE_SYSCALL)
			continue;
		link = bpf_program__attach(program);
		if (!link) {
			printf("# attach %s: %s\n", bpf_program__name(program), strerror(errno));
			return -errno;
		}
		links[link_count++] = link;
	}
	if (table) {
		struct bpf_link *link = bpf_map__attach_struct_ops(bpf_object__find_map_by_name(object, table));

		if (!link)
			return -errno;
		links[link_count++] = link;
	}
	return 0;
}

/* One result: a line "CHECK key=number ...", which the test reads. */
static inline void report(const char *check, const char *format, ...)
{
	va_list list;

	printf("%s ", check);
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	printf("\n");
}

static inline double usage(const char *name)
{
	const char *text = get(file(name, "cpu.stat"));

	return atof(text + strlen("usage_usec ")) / 1e6;
}

/* Frozen, everybody's time is in the accounts; while they run, the last tick's is not, and an emulated CPU's ticks come late. */
static inline void freeze(bool on)
{
	double end = now() + 2;

	put(ROOT "/cgroup.freeze", on ? "1" : "0");
	while (on && !strstr(get(ROOT "/cgroup.events"), "frozen 1") && now() < end)
		nap(0.005);
}

static inline bool enabled(void)
{
	return !strncmp(get("/sys/kernel/sched_ext/state"), "enabled", 7);
}

static inline void sum_percpu(const char *name, __u64 *into, size_t size)
{
	int cpus = libbpf_num_possible_cpus(), i;
	__u64 *values = calloc(cpus, size);
	__u32 zero = 0;
	size_t k;

	memset(into, 0, size);
	bpf_map_lookup_elem(map(name), &zero, values);
	for (i = 0; i < cpus; i++)
		for (k = 0; k < size / 8; k++)
			into[k] += values[i * size / 8 + k];
	free(values);
}

static inline struct acg_governor governed(void)
{
	struct acg_governor sum;

	sum_percpu("acg_governor", (__u64 *)&sum, sizeof(sum));
	return sum;
}

static inline struct acg_scheduler scheduled(void)
{
	struct acg_scheduler sum;

	sum_percpu("acg_scheduler", (__u64 *)&sum, sizeof(sum));
	return sum;
}

static inline void clear_counts(void)
{
	int cpus = libbpf_num_possible_cpus();
	void *zeroes = calloc(cpus, 4096);
	__u32 zero = 0;

	bpf_map_update_elem(map("acg_governor"), &zero, zeroes, 0);
	bpf_map_update_elem(map("acg_scheduler"), &zero, zeroes, 0);
	free(zeroes);
}

static inline void rate(__u64 id, struct acg_rate r)
{
	if (bpf_map_update_elem(map("acg_rates"), &id, &r, BPF_ANY))
		printf("# acg_rates: %s\n", strerror(errno));
}

static inline void unrate(__u64 id)
{
	bpf_map_delete_elem(map("acg_rates"), &id);
	bpf_map_delete_elem(map("acg_growth"), &id);
}

/* How long a call takes to come to a hard ceiling of 32 MiB, where the OOM killer waits; 0: something else ended it. Seconds. */
static inline double ceiling(const char *name, int policy, struct acg_rate budget)
{
	struct grow g = { .mib = 64 };
	__u64 id = group(name);
	double begin;
	int status;

	unrate(id);
	rate(id, budget);
	put(file(name, "memory.swap.max"), "0");
	put(file(name, "memory.max"), "32M");
	begin = now();
	status = reap(child(name, policy, grow, &g), 60);
	begin = now() - begin;
	ungroup(name);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? begin : 0;
}
#endif
