/*
 * What the scheduler promises, tried out in the guest. Every check prints its measurements; scheduler.test.ts judges them.
 * Usage: scheduler OBJECT [CHECK...]
 */
#include "guest.h"

#define EXT 7
static const char *path;

static int crew(pid_t *pids, const char *name, int n)
{
	int i;

	for (i = 0; i < n; i++)
		pids[i] = child(name, EXT, spin, NULL);
	return n;
}

static void dismiss(pid_t *pids, int n)
{
	int i;

	for (i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	for (i = 0; i < n; i++)
		waitpid(pids[i], NULL, 0);
}

/*
 * CPU time each of up to 4 cgroups used in that many seconds, after a short start. Returns how long it really was: a task that
 * waits for its cpu.max freezes when it may run again.
 */
static double shares(const char **names, int n, double seconds, double *used)
{
	double begin;
	int i;

	nap(0.3);
	freeze(true);
	for (i = 0; i < n; i++)
		used[i] = -usage(names[i]);
	begin = now();
	freeze(false);
	nap(seconds);
	freeze(true);
	seconds = now() - begin;
	for (i = 0; i < n; i++)
		used[i] += usage(names[i]);
	freeze(false);
	return seconds;
}

/* CPUs' worth of time that these cgroups use in that many seconds, and then under the fair class: what there is to be had. */
static void all_used(const char *check, const char **names, int groups, pid_t *pids, int n, double seconds)
{
	double used[4], sum[2] = { 0, 0 }, took;
	struct sched_param none = { 0 };
	int i, fair, ours = enabled();

	for (fair = 0; fair < 2; fair++) {
		for (i = 0; fair && i < n; i++)
			sched_setscheduler(pids[i], SCHED_OTHER, &none);
		took = shares(names, groups, seconds, used);
		for (i = 0; i < groups; i++)
			sum[fair] += used[i] / took;
	}
	report(check, "enabled=%d used=%f fair=%f", ours, sum[0], sum[1]);
}

static void weights(void)
{
	const char *names[] = { "a/s/c", "b/s/c", "c/s/c" };
	pid_t pids[6];
	double used[3];
	int i, n = 0;

	for (i = 0; i < 3; i++) {
		group(names[i]);
		n += crew(pids + n, names[i], 2);
	}
	put(file("a", "cpu.weight"), "100");
	put(file("b", "cpu.weight"), "200");
	put(file("c", "cpu.weight"), "400");
	shares(names, 3, 4, used);
	report("weights", "a=%f b=%f c=%f", used[0], used[1], used[2]);
	put(file("a", "cpu.weight"), "400");
	put(file("c", "cpu.weight"), "100");
	shares(names, 3, 4, used);
	report("reweighed", "a=%f b=%f c=%f", used[0], used[1], used[2]);
	dismiss(pids, n);
	for (i = 0; i < 3; i++)
		put(file(i == 0 ? "a" : i == 1 ? "b" : "c", "cpu.weight"), "100");
}

/* One tenant with two sessions of weight 1:3, another with one: the sum of the two is what the other gets. */
static void hierarchy(void)
{
	const char *names[] = { "a/s/c", "a/t/c", "b/s/c" };
	pid_t pids[6];
	double used[3];
	int i, n = 0;

	for (i = 0; i < 3; i++) {
		group(names[i]);
		n += crew(pids + n, names[i], 2);
	}
	put(file("a/s", "cpu.weight"), "100");
	put(file("a/t", "cpu.weight"), "300");
	shares(names, 3, 4, used);
	report("hierarchy", "as=%f at=%f b=%f", used[0], used[1], used[2]);
	dismiss(pids, n);
}

/* A session that makes a new cgroup for every command gains nothing against one that stays in its own. */
static void churn_body(void *arg)
{
	int turn;

	for (turn = 0;; turn++) {
		char name[64];
		pid_t pid;

		snprintf(name, sizeof(name), "b/s/churn-%s-%d", (char *)arg, turn % 8);
		mkdir(file(name, ""), 0755);
		pid = child(name, EXT, spin, NULL);
		nap(0.02);
		stop(pid);
		rmdir(file(name, ""));
	}
}

static void churn(void)
{
	const char *names[] = { "a/s/c", "b/s" };
	pid_t pids[4];
	double used[2];
	int n = 0;

	group("a/s/c");
	group("b/s/driver");
	n += crew(pids, "a/s/c", 2);
	pids[n++] = child("driver", 0, churn_body, "x");
	pids[n++] = child("driver", 0, churn_body, "y");
	shares(names, 2, 4, used);
	report("churn", "steady=%f fresh=%f", used[0], used[1]);
	dismiss(pids, n);
	put(file("b", "cgroup.kill"), "1"); /* a child that had not asked for its parent's death signal yet */
}

static void bandwidth(void)
{
	const char *names[] = { "a/s/c", "b/s/c", "b/s/d" };
	pid_t pids[8];
	double used[3], seconds;
	struct acg_scheduler counts;
	int n = 0;

	group(names[0]);
	group(names[1]);
	group(names[2]);
	put(file("a/s/c", "cpu.max"), "20000 100000");
	n = crew(pids, "a/s/c", 1);
	seconds = shares(names, 1, 4, used);
	report("max-one", "share=%f", used[0] / seconds);
	n += crew(pids + n, "a/s/c", 3);
	put(file("a/s/c", "cpu.max"), "50000 100000");
	seconds = shares(names, 1, 4, used);
	report("max-four", "share=%f", used[0] / seconds);
	put(file("a/s/c", "cpu.max"), "max");
	all_used("max-lifted", names, 1, pids, n, 1);
	dismiss(pids, n);
	put(file("b", "cpu.max"), "40000 100000");
	n = crew(pids, "b/s/c", 2);
	n += crew(pids + n, "b/s/d", 2);
	seconds = shares(names, 3, 4, used);
	report("max-inherited", "share=%f c=%f d=%f", (used[1] + used[2]) / seconds, used[1], used[2]);
	put(file("b", "cpu.max"), "max");
	dismiss(pids, n);
	counts = scheduled();
	report("max-counts", "throttles=%llu unthrottles=%llu", counts.throttles, counts.unthrottles);
}

static void idle(void)
{
	const char *names[] = { "a/s/c", "b/s/c" };
	pid_t pids[4];
	double used[2];
	int n;

	put(file("a/s/c", "cpu.idle"), "1");
	n = crew(pids, "a/s/c", 2);
	n += crew(pids + n, "b/s/c", 2);
	put(file("a", "cpu.idle"), "1");
	shares(names, 2, 3, used);
	report("idle", "idle=%f other=%f", used[0], used[1]);
	put(file("a", "cpu.idle"), "0");
	put(file("a/s/c", "cpu.idle"), "0");
	shares(names, 2, 3, used);
	report("not-idle", "was=%f other=%f", used[0], used[1]);
	dismiss(pids, n);
}

struct seen {
	unsigned long on[2];
};

static void look_where(void *arg)
{
	struct seen *seen = arg;

	for (;;) {
		int i;

		seen->on[sched_getcpu() & 1]++;
		for (i = 0; i < 10000; i++)
			__asm__ volatile("");
		if (seen->on[0] % 64 == 1)
			nap(0.0005);
	}
}

static void affinity(void)
{
	struct seen *seen = shared_page();
	cpu_set_t one;
	pid_t pids[6];
	int n;

	group("a/s/c");
	group("b/s/c");
	n = crew(pids, "a/s/c", 4); /* something to be kept out of the way of */
	pids[n++] = child("b/s/c", EXT, look_where, &seen[0]);
	CPU_ZERO(&one);
	CPU_SET(1, &one);
	sched_setaffinity(pids[n - 1], sizeof(one), &one);
	put(file("b/s", "cpuset.cpus"), "0");
	group("b/t");
	pids[n++] = child("b/t", EXT, look_where, &seen[1]);
	put(file("b/t", "cpuset.cpus"), "1");
	nap(0.2);
	memset(seen, 0, 4096);
	nap(2);
	/* the cpuset wins over the mask of the first */
	report("affinity", "set0=%lu other0=%lu set1=%lu other1=%lu", seen[0].on[0], seen[0].on[1], seen[1].on[1],
	       seen[1].on[0]);
	dismiss(pids, n);
	put(file("b/s", "cpuset.cpus"), "\n");
	put(file("b/t", "cpuset.cpus"), "\n");
}

static void hotplug(void)
{
	const char *names[] = { "a/s/c", "b/s/c" };
	double used[2], seconds;
	pid_t pids[6];
	cpu_set_t one;
	int n, i;

	n = crew(pids, "a/s/c", 3);
	pids[n++] = child("b/s/c", EXT, spin, NULL);
	CPU_ZERO(&one);
	CPU_SET(1, &one);
	sched_setaffinity(pids[n - 1], sizeof(one), &one);
	nap(0.2);
	for (i = 0; i < 3; i++) {
		put("/sys/devices/system/cpu/cpu1/online", "0");
		nap(0.2);
		if (i < 2)
			put("/sys/devices/system/cpu/cpu1/online", "1");
		nap(0.1);
	}
	seconds = shares(names, 2, 1, used);
	report("hotplug-off", "enabled=%d used=%f", enabled(), (used[0] + used[1]) / seconds);
	put("/sys/devices/system/cpu/cpu1/online", "1");
	all_used("hotplug-on", names, 2, pids, n, 1);
	dismiss(pids, n);
}

static void partial(void)
{
	pid_t pid = child("a/s/c", 0, spin, NULL), ext = child("a/s/c", EXT, spin, NULL);
	struct acg_scheduler before, after;
	int all = atoi(get("/sys/kernel/sched_ext/switch_all"));

	nap(0.2);
	before = scheduled();
	nap(0.3);
	after = scheduled();
	report("partial", "switch_all=%d policy=%d ext=%d ours=%llu", all, sched_getscheduler(pid), sched_getscheduler(ext),
	       after.kept + after.queued + after.idle - before.kept - before.queued - before.idle);
	stop(pid);
	stop(ext);
}

/* 1200 short processes in 20 cgroups that come and go: nothing is lost, and no node is left with a count. */
static void brief(void *arg)
{
	int i;

	for (i = 0; i < 30; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		if (i % 3 == 2)
			while (waitpid(-1, NULL, 0) > 0)
				;
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void storm(void)
{
	static struct acg_node node;
	long ended = 0, dirty = 0, used = 0;
	double begin = now();
	__u32 i;
	int k, turn;

	for (turn = 0; turn < 2; turn++) {
		pid_t pids[20];

		for (k = 0; k < 20; k++) {
			char name[64];

			snprintf(name, sizeof(name), "storm/s/call-%d", k);
			group(name);
			pids[k] = child(name, EXT, brief, NULL);
		}
		for (k = 0; k < 20; k++)
			ended += reap(pids[k], 60) == 0;
		for (k = 0; k < 20; k++) {
			char name[64];

			snprintf(name, sizeof(name), "storm/s/call-%d", k);
			ungroup(name);
		}
	}
	nap(0.5);
	for (i = 1; i < 16384; i++) {
		if (bpf_map_lookup_elem(map("acg_nodes"), &i, &node) || !node.used)
			continue;
		used++;
		if (node.own || node.active || node.load)
			dirty++;
	}
	report("storm", "ended=%ld seconds=%f nodes=%ld dirty=%ld enabled=%d", ended, now() - begin, used, dirty, enabled());
}

/* The process that holds the links dies: unpinned the fair class takes over, pinned nothing changes. */
static void holder(void)
{
	int *ready = shared_page();
	pid_t spinner, keeper;
	double used;
	int pinned;

	unload();
	spinner = child("a/s/c", EXT, spin, NULL);
	for (pinned = 0; pinned < 2; pinned++) {
		*ready = 0;
		fflush(stdout);
		keeper = fork();
		if (!keeper) {
			int error = load(path, "acg_partial");

			if (!error && pinned)
				error = bpf_link__pin(links[link_count - 1], "/sys/fs/bpf/acg-check");
			*ready = error ? -1 : 1;
			for (;;)
				pause();
		}
		while (!*ready)
			nap(0.01);
		kill(keeper, SIGKILL);
		waitpid(keeper, NULL, 0);
		nap(0.5);
		used = usage("a/s/c");
		nap(0.5);
		report(pinned ? "holder-pinned" : "holder-unpinned", "loaded=%d enabled=%d used=%f", *ready, enabled(),
		       usage("a/s/c") - used);
	}
	unlink("/sys/fs/bpf/acg-check");
	nap(0.5);
	report("holder-unlinked", "enabled=%d", enabled());
	stop(spinner);
	load(path, "acg_partial");
}

/* With the fair class on both CPUs and its reserve taken away, our tasks starve: the watchdog has to throw us out. */
static void stall(void)
{
	struct acg_scheduler_state state;
	__u32 zero = 0;
	pid_t pids[4];
	double used, begin;
	int n = 0, cpu, error;

	unload();
	watchdog_ms = 2000;
	load(path, "acg_partial");
	watchdog_ms = 0;
	mkdir("/sys/kernel/debug", 0755);
	if (syscall(SYS_mount, "debugfs", "/sys/kernel/debug", "debugfs", 0, NULL) && errno != EBUSY)
		printf("# debugfs: %s\n", strerror(errno));
	for (cpu = 0; cpu < 2; cpu++) {
		char file_name[96];

		snprintf(file_name, sizeof(file_name), "/sys/kernel/debug/sched/ext_server/cpu%d/runtime", cpu);
		put(file_name, "0");
	}
	pids[n++] = child("a/s/c", EXT, spin, NULL);
	nap(0.1);
	for (cpu = 0; cpu < 2; cpu++) { /* one on each: left to themselves they may share one, and ours have the other */
		cpu_set_t one;

		pids[n++] = child("b/s/c", 0, spin, NULL);
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(pids[n - 1], sizeof(one), &one);
	}
	begin = now();
	while (enabled() && now() - begin < 12)
		nap(0.1);
	used = usage("a/s/c");
	nap(1);
	bpf_map_lookup_elem(map("acg_scheduler_state"), &zero, &state);
	report("stall", "enabled=%d after=%f kind=%llu used=%f message=%d", enabled(), now() - begin - 1, state.exit_kind,
	       usage("a/s/c") - used, !!strstr((char *)state.message, "failed to run"));
	dismiss(pids, n);
	unload();
	error = load(path, "acg_partial");
	report("rearmed", "error=%d enabled=%d", error, enabled());
}

/* Detached while everything is busy, and attached again, three times. */
static void reload(void)
{
	const char *names[] = { "a/s/c", "b/s/c" };
	double used[2], seconds;
	pid_t pids[8];
	int n, i, failed = 0;

	put(file("b/s/c", "cpu.max"), "30000 100000");
	n = crew(pids, "a/s/c", 4);
	n += crew(pids + n, "b/s/c", 2);
	for (i = 0; i < 3; i++) {
		unload();
		nap(0.05);
		failed += !!load(path, "acg_partial");
		nap(0.1);
	}
	nap(1); /* what it ran while nobody was in charge is paid back first */
	seconds = shares(names, 2, 6, used);
	report("reload", "failed=%d enabled=%d limited=%f", failed, enabled(), used[1] / seconds);
	all_used("reload-used", names, 2, pids, n, 1);
	dismiss(pids, n);
	put(file("b/s/c", "cpu.max"), "max");
}

/* Full mode: everything but us is scheduled by it too, kernel threads included. */
static void full(void)
{
	const char *names[] = { "a/s/c", "b/s/c" };
	double used[2];
	pid_t pids[4];
	int n = 0, i, error;

	unload();
	error = load(path, "acg_full");
	for (i = 0; i < 4; i++)
		pids[n++] = child(names[i / 2], 0, spin, NULL);
	put(file("a", "cpu.weight"), "300");
	shares(names, 2, 4, used);
	report("full", "error=%d switch_all=%d enabled=%d a=%f b=%f", error, atoi(get("/sys/kernel/sched_ext/switch_all")),
	       enabled(), used[0], used[1]);
	put(file("a", "cpu.weight"), "100");
	dismiss(pids, n);
	unload();
	load(path, "acg_partial");
}

static const struct {
	const char *name;
	void (*run)(void);
} checks[] = {
	{ "weights", weights },	  { "hierarchy", hierarchy }, { "bandwidth", bandwidth }, { "idle", idle },
	{ "affinity", affinity }, { "hotplug", hotplug },     { "partial", partial },	  { "churn", churn },
	{ "storm", storm },	  { "reload", reload },	      { "full", full },		  { "holder", holder },
	{ "stall", stall },
};

int main(int argc, char **argv)
{
	struct sched_param first = { .sched_priority = 1 };
	double begin;
	size_t i;
	int error, k;

	setvbuf(stdout, NULL, _IOLBF, 0);
	/* whoever spins must not keep us from loading programs, nor from looking on time */
	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first);
	mlockall(MCL_CURRENT); /* the host serves this program's pages in its own time, which must not fall into a window */
	path = argv[1];
	group("a/s/c");
	group("b/s/c");
	group("driver");
	error = load(path, "acg_partial");
	report("load", "error=%d enabled=%d", error, enabled());
	if (error)
		return 1;
	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		bool wanted = argc < 3;

		for (k = 2; k < argc; k++)
			wanted |= !strcmp(argv[k], checks[i].name);
		if (!wanted)
			continue;
		begin = now();
		checks[i].run();
		printf("# %s: %.1f s of the guest's\n", checks[i].name, now() - begin);
		if (!enabled()) {
			struct acg_scheduler_state state;
			__u32 zero = 0;

			bpf_map_lookup_elem(map("acg_scheduler_state"), &zero, &state);
			printf("# after %s the scheduler is gone: %s, %s\n", checks[i].name, state.reason, state.message);
			unload();
			load(path, "acg_partial");
		}
	}
	unload();
	return 0;
}
