/*
 * The measurements behind `npm run bench:governor` and `npm run bench:sched`: arms interleaved, one line per repetition.
 * Usage: bench OBJECT rates|stops|wakes|sched REPETITIONS [OBJECT OF latency.bpf.c]
 */
#include "guest.h"
#include <linux/perf_event.h>
#include <poll.h>
#include <sys/inotify.h>

#define EXT 7
#define CALL "ten/ses/call"
#define BAND (6 * MIB)
#define STOPS 6 /* a repetition */

static int repetitions;

static void crew(pid_t *pids, const char *name, int policy, int n)
{
	int i;

	for (i = 0; i < n; i++)
		pids[i] = child(name, policy, spin, NULL);
}

static void dismiss(pid_t *pids, int n)
{
	int i;

	for (i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	for (i = 0; i < n; i++)
		waitpid(pids[i], NULL, 0);
}

#define THP "/sys/kernel/mm/transparent_hugepage/hugepages-"

/* How well a rate is held, and by how much usage goes over. huge: 0 pages of 4 KiB, 1 of 2 MiB, 2 of 64 KiB. */
static void rate_held(int target, int huge, int mib)
{
	struct grow g = { .mib = mib, .huge = huge != 0, .went = shared_page() };
	__u64 id = group(CALL);
	struct acg_growth seen = { 0 };
	int status;

	put(THP "2048kB/enabled", huge == 2 ? "never" : "inherit");
	put(THP "64kB/enabled", huge == 2 ? "madvise" : "never");
	unrate(id);
	rate(id, (struct acg_rate){ .rate = target * 1000000ULL, .burst = 256 << 10, .flags = ACG_RATE_CALL });
	status = reap(child(CALL, EXT, grow, &g), 60);
	bpf_map_lookup_elem(map("acg_growth"), &id, &seen);
	report("rate", "target=%d huge=%d status=%d rate=%f overshoot_kib=%f", target, huge, status, mib * 1.048576 / *g.went,
	       seen.overshoot / 1024.0);
	munmap(g.went, 1 << 16);
	ungroup(CALL);
}

/*
 * Grows, and notes when it touched the page that takes the cgroup over the band: what was charged to it before counts too,
 * and charges come in batches, so this is up to one batch (256 KiB, some 100 us) early.
 */
static void grow_noting(void *arg)
{
	volatile double *crossed = arg;
	size_t size = 64 * MIB, i, last = (BAND - atoll(get(file(CALL, "memory.current"))) - (256 << 10)) & ~4095ULL;
	char *at = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	madvise(at, size, MADV_NOHUGEPAGE);
	*crossed = 0;
	for (i = 0; i < size; i += 4096) {
		at[i] = 1;
		if (i == last)
			*crossed = now();
	}
}

enum arm { GOVERNOR, POLL, INOTIFY };

/* From over the band to standing still: in the kernel, or by a user-space daemon that watches and freezes. */
static void stopped(enum arm arm, int hogs)
{
	int policy = arm == GOVERNOR ? EXT : 0, fd = -1, current;
	double *crossed = shared_page(), latency = -1;
	__u64 id = group(CALL);
	struct acg_governor counts;
	char text[64] = "";
	pid_t busy[8], pid;
	int i, n;

	crew(busy, "hogs", policy, hogs);
	nap(0.02);
	current = open(file(CALL, "memory.current"), O_RDONLY);
	if (arm == GOVERNOR) {
		clear_counts();
		unrate(id);
		rate(id, (struct acg_rate){ .rate = 500000, .burst = 4096, .soft = BAND, .flags = ACG_RATE_CALL });
	} else if (arm == INOTIFY) {
		put(file(CALL, "memory.high"), "%llu", BAND);
		fd = inotify_init1(IN_NONBLOCK);
		inotify_add_watch(fd, file(CALL, "memory.events"), IN_MODIFY);
	}
	pid = child(CALL, policy, grow_noting, crossed);
	if (arm == GOVERNOR) {
		/* the worst of all its holds in this repetition, not only the first */
		for (i = 0; i < 300; i++) {
			counts = governed();
			if (counts.holds)
				break;
			nap(0.005);
		}
		nap(0.02);
		counts = governed();
		latency = counts.holds ? counts.worst_ns / 1e9 : -1;
	} else {
		double end = now() + 10;

		if (arm == POLL) {
			do {
				usleep(1000);
				n = pread(current, text, sizeof(text) - 1, 0);
				text[n > 0 ? n : 0] = 0;
			} while (atoll(text) <= (long long)BAND && now() < end);
		} else {
			struct pollfd wait = { fd, POLLIN, 0 };

			poll(&wait, 1, 10000);
		}
		put(file(CALL, "cgroup.freeze"), "1");
		while (!strstr(get(file(CALL, "cgroup.events")), "frozen 1") && now() < end)
			usleep(100);
		latency = *crossed ? now() - *crossed : 0; /* stopped before it noticed: no delay to speak of */
	}
	report("stopped", "arm=%d hogs=%d us=%f over_kib=%f", arm, hogs, latency * 1e6,
	       (atof(get(file(CALL, "memory.current"))) - BAND) / 1024);
	kill(pid, SIGKILL);
	put(file(CALL, "cgroup.freeze"), "0");
	waitpid(pid, NULL, 0);
	dismiss(busy, hogs);
	close(current);
	if (fd >= 0)
		close(fd);
	munmap(crossed, 1 << 16);
	ungroup(CALL);
}

static void bench_rates(void)
{
	int i, huge;

	for (i = 0; i < repetitions; i++)
		for (huge = 0; huge < 3; huge++) {
			if (huge < 2) {
				rate_held(20, huge, huge ? 48 : 8); /* the first page may be free: of few that would be much */
				rate_held(100, huge, huge ? 64 : 24);
			}
			rate_held(500, huge, huge ? 160 : 64);
			rate_held(0, huge, 64); /* as fast as this machine can */
		}
}

static void bench_stops(void)
{
	int i, hogs, arm;

	group("hogs");
	for (i = 0; i < repetitions * STOPS; i++)
		for (hogs = 0; hogs <= 8; hogs += 8)
			for (arm = 0; arm < 3; arm++)
				stopped(arm, hogs);
}

/* As in ../fixtures/latency.bpf.c, which takes both times in the kernel: what the guest's clock does in between does not count. */
struct wake {
	__u64 waking_ns;
	__u64 running_ns;
};
static struct watch {
	__u32 pid;
	__u32 count;
	struct wake wake[4096];
} *watch;

#define WAKES 300

/* Sleeps, works for a moment, sleeps. */
static void wake_up(void *arg)
{
	struct timespec at;
	int i;

	watch->count = 0;
	watch->pid = getpid();
	clock_gettime(CLOCK_MONOTONIC, &at);
	for (i = 0; i < WAKES; i++) {
		double end;

		at.tv_nsec += 2300000;
		if (at.tv_nsec >= 1000000000) {
			at.tv_nsec -= 1000000000;
			at.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		for (end = now() + 0.0001; now() < end;)
			;
	}
}

static void wake_latency(int repetition, int policy)
{
	pid_t hogs[8], pid;
	__u32 i;

	crew(hogs, "low/s/c", policy, 8);
	nap(0.05);
	pid = child("high/s/c", policy, wake_up, NULL);
	waitpid(pid, NULL, 0); /* not by polling, which would wake up beside it */
	watch->pid = 0;
	for (i = 0; i < watch->count; i++)
		report("wake", "repetition=%d ext=%d us=%f", repetition, policy == EXT,
		       (watch->wake[i].running_ns - watch->wake[i].waking_ns) / 1e3);
	dismiss(hogs, 8);
}

static void watch_wakes(const char *path)
{
	struct bpf_object *o = bpf_object__open_file(path, NULL);
	struct bpf_program *program;

	if (!o || bpf_object__load(o))
		exit(1);
	bpf_object__for_each_program(program, o)
		if (!bpf_program__attach(program))
			exit(1);
	watch = mmap(NULL, (sizeof(*watch) + 4095) & ~4095UL, PROT_READ | PROT_WRITE, MAP_SHARED,
		     bpf_object__find_map_fd_by_name(o, "watch"), 0);
	if (watch == MAP_FAILED)
		exit(1);
}

static void count_up(void *arg)
{
	volatile __u64 *done = arg;

	for (;;)
		++*done;
}

static void throughput(int policy)
{
	__u64 *done = shared_page(), sum = 0;
	pid_t pids[6];
	int i;

	for (i = 0; i < 6; i++)
		pids[i] = child(i % 2 ? "low/s/c" : "high/s/c", policy, count_up, done + 64 * i);
	nap(0.1);
	for (i = 0; i < 6; i++)
		sum -= done[64 * i];
	nap(0.5);
	for (i = 0; i < 6; i++)
		sum += done[64 * i];
	report("throughput", "ext=%d turns=%llu", policy == EXT, sum);
	dismiss(pids, 6);
	munmap(done, 1 << 16);
}

/*
 * The emulator runs the CPUs in turn, and a turn lasts for half of the time to the next timer of any: with nothing but ticks
 * who is woken on the other one may wait for 2 ms. A timer of 0.2 ms on each makes that small beside what is measured; one in
 * hard interrupt context, since those of softirqs end in ksoftirqd, which runs ahead of our class.
 */
static void short_turns(void)
{
	struct perf_event_attr timer = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(timer), .config = PERF_COUNT_SW_CPU_CLOCK, .sample_period = 200000
	};
	int cpu;

	put("/proc/sys/kernel/perf_cpu_time_max_percent", "0"); /* or the emulated CPU is found too slow for that many */
	for (cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); cpu++)
		if (syscall(SYS_perf_event_open, &timer, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC) < 0)
			exit(1);
}

static void bench_wakes(void)
{
	int i;

	short_turns();

	group("high/s/c");
	group("low/s/c");
	put(file("high", "cpu.weight"), "400");
	put(file("low", "cpu.weight"), "50");
	for (i = 0; i < repetitions; i++) {
		wake_latency(i, EXT);
		wake_latency(i, 0);
	}
}

static void bench_sched(void)
{
	const char *const names[] = { "w1/s/c", "w2/s/c", "w4/s/c" };
	int i, k;

	group("high/s/c");
	group("low/s/c");
	group("max/s/c");
	put(file("high", "cpu.weight"), "400");
	put(file("low", "cpu.weight"), "50");
	put(file("max/s/c", "cpu.max"), "30000 100000");
	for (k = 0; k < 3; k++) {
		group(names[k]);
		put(file(k == 0 ? "w1" : k == 1 ? "w2" : "w4", "cpu.weight"), "%d", 100 << k);
	}
	for (i = 0; i < repetitions; i++) {
		double used[3], limited;
		pid_t pids[6];

		throughput(EXT);
		throughput(0);
		for (k = 0; k < 3; k++)
			crew(pids + 2 * k, names[k], EXT, 2);
		nap(0.3);
		freeze(true);
		for (k = 0; k < 3; k++)
			used[k] = -usage(names[k]);
		freeze(false);
		nap(6); /* who was frozen begins with what a sleeper may have saved up, 12 ms each: little of this */
		freeze(true);
		for (k = 0; k < 3; k++)
			used[k] += usage(names[k]);
		freeze(false);
		report("weights", "one=%f two=%f four=%f", used[0], used[1], used[2]);
		dismiss(pids, 6);
		crew(pids, "max/s/c", EXT, 2);
		nap(0.2);
		limited = -usage("max/s/c");
		nap(2);
		limited += usage("max/s/c");
		report("max", "share=%f", limited / 2);
		dismiss(pids, 2);
	}
}

int main(int argc, char **argv)
{
	int error;

	setvbuf(stdout, NULL, _IOLBF, 0);
	repetitions = argc > 3 ? atoi(argv[3]) : 20;
	group("ten/ses");
	error = load(argv[1], "acg_partial");
	report("load", "error=%d", error);
	if (error)
		return 1;
	if (!strcmp(argv[2], "rates"))
		bench_rates();
	else if (!strcmp(argv[2], "stops"))
		bench_stops();
	else if (!strcmp(argv[2], "wakes")) {
		watch_wakes(argv[4]);
		bench_wakes();
	}
	else
		bench_sched();
	report("end", "enabled=%d", enabled());
	unload();
	return 0;
}
