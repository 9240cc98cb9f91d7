/*
 * What the memory governor promises, tried out in the guest. Every check prints its measurements; governor.test.ts judges them.
 * Usage: governor OBJECT [CHECK...]
 */
#include "guest.h"

#define EXT 7
#define CALL "ten/ses/call"
static const char *path;

static struct acg_growth growth(__u64 id)
{
	struct acg_growth found = { 0 };

	bpf_map_lookup_elem(map("acg_growth"), &id, &found);
	return found;
}

static double memory(const char *name)
{
	return atof(get(file(name, "memory.current")));
}

static struct acg_rate slow(double mb)
{
	return (struct acg_rate){ .rate = mb * 1e6, .burst = 256 << 10, .flags = ACG_RATE_CALL };
}

/* Tasks in the callback now, over all CPUs: the last word of struct cpu_state. */
static int held_now(void)
{
	unsigned char state[64];
	int sum = 0, size = bpf_map__value_size(bpf_object__find_map_by_name(object, "acg_cpus"));
	__u32 cpu;

	for (cpu = 0; cpu < 2; cpu++) {
		bpf_map_lookup_elem(map("acg_cpus"), &cpu, state);
		sum += *(int *)(state + size - 4);
	}
	return sum;
}

/* A call that grows against a rate so low that it is held nearly all the time. */
static pid_t crawler(const char *name, double mb, int threads)
{
	static struct grow g;
	__u64 id = group(name);
	pid_t pid;

	unrate(id);
	rate(id, slow(mb));
	g = (struct grow){ .mib = 512, .threads = threads };
	pid = child(name, EXT, grow, &g);
	nap(0.4);
	return pid;
}

static void rates(void)
{
	static const int rates[] = { 20, 100 };
	double *went = shared_page();
	int i, huge;

	for (i = 0; i < 2; i++)
		for (huge = 0; huge < 2; huge++) {
			struct grow g = { .mib = rates[i] == 20 ? 32 : 96, .huge = huge, .went = went };
			__u64 id = group(CALL);
			struct acg_governor counts;
			int status;

			clear_counts();
			unrate(id);
			rate(id, slow(rates[i]));
			status = reap(child(CALL, EXT, grow, &g), 30);
			counts = governed();
			report("rate", "target=%d huge=%d status=%d rate=%f overshoot=%f holds=%llu worst_us=%f fails=%llu not_parked=%llu",
			       rates[i], huge, status, g.mib * 1.048576 / *went, growth(id).overshoot / 1024.0, counts.holds,
			       counts.worst_ns / 1e3, counts.schedule_fails, counts.not_parked);
		}
	ungroup(CALL);
}

static void killed(void)
{
	double worst = 0, begin;
	int i, held = 0, removed = 0;
	struct acg_governor counts;

	clear_counts();
	for (i = 0; i < 8; i++) {
		pid_t pid = crawler(CALL, 0.5, 1);

		held += held_now() == 1;
		begin = now();
		kill(pid, SIGKILL);
		reap(pid, 5);
		if (now() - begin > worst)
			worst = now() - begin;
		removed += rmdir(file(CALL, "")) == 0;
	}
	counts = governed();
	nap(0.1);
	report("killed", "held=%d worst_ms=%f removed=%d left=%d by_kill=%llu", held, worst * 1e3, removed, held_now(),
	       counts.releases[ACG_RELEASE_KILL]);
}

static void frozen(void)
{
	double worst = 0, asked = 0;
	int i, froze = 0, ended = 0;
	struct acg_governor counts;

	clear_counts();
	for (i = 0; i < 6; i++) {
		pid_t pid = crawler(CALL, 0.5, 1);
		double begin, took;

		begin = now();
		put(file(CALL, "cgroup.freeze"), "1");
		while (!strstr(get(file(CALL, "cgroup.events")), "frozen 1") && now() - begin < 5)
			nap(0.0005);
		took = now() - begin;
		froze += took < 5;
		if (took > worst)
			worst = took;
		put(file(CALL, "cgroup.freeze"), "0");
		kill(pid, SIGKILL);
		ended += reap(pid, 5) != -1;
		ungroup(CALL);
	}
	for (i = 0; i < 4; i++) {
		pid_t pid = crawler(CALL, 0.5, 1);
		struct acg_rate r = slow(0.5);
		double begin = now();

		r.flags |= ACG_RATE_RELEASED;
		rate(group(CALL), r);
		while (held_now() && now() - begin < 5)
			nap(0.0005);
		if (now() - begin > asked)
			asked = now() - begin;
		stop(pid);
		ungroup(CALL);
	}
	counts = governed();
	report("frozen", "froze=%d ended=%d worst_ms=%f asked_ms=%f left=%d by_freeze=%llu by_flag=%llu", froze, ended,
	       worst * 1e3, asked * 1e3, held_now(), counts.releases[ACG_RELEASE_FREEZE], counts.releases[ACG_RELEASE_ASKED]);
}

static void exit_soon(void *arg)
{
	static struct grow g = { .mib = 256, .threads = 1 };
	pthread_t thread[4];
	int i;

	*(double *)arg = 0; /* touched before there is a debt, or this thread is held for it as well */
	for (i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, grow_part, &g);
	nap(0.5);
	*(double *)arg = now();
	_exit(7);
}

static void exiting(void)
{
	double *at = shared_page();
	__u64 id = group(CALL);
	int status;
	pid_t pid;

	unrate(id);
	rate(id, slow(0.5));
	pid = child(CALL, EXT, exit_soon, at);
	status = reap(pid, 10);
	report("exiting", "status=%d took_ms=%f left=%d", status, (now() - *at) * 1e3, held_now());
	ungroup(CALL);
}

static double *heard_when;

static void on_term(int signal)
{
	*heard_when = now();
}

static void listen_and_grow(void *arg)
{
	struct grow g = { .mib = 256, .threads = 1 };

	heard_when = arg;
	signal(SIGTERM, on_term);
	grow(&g);
}

static void signalled(void)
{
	double *when = shared_page(), begin;
	__u64 id = group(CALL);
	pid_t pid;

	unrate(id);
	rate(id, slow(0.5));
	pid = child(CALL, EXT, listen_and_grow, when);
	nap(0.5);
	begin = now();
	kill(pid, SIGTERM);
	nap(0.5);
	report("signalled", "took_ms=%f", *when ? (*when - begin) * 1e3 : -1);
	stop(pid);
	ungroup(CALL);
}

static void out_of_memory(void)
{
	double begin;
	int status;
	pid_t pid;

	group(CALL);
	put(file(CALL, "memory.oom.group"), "1");
	pid = crawler(CALL, 2, 4);
	begin = now();
	put(file(CALL, "memory.max"), "1M");
	status = reap(pid, 10);
	report("oom", "status=%d took_ms=%f left=%d", status, (now() - begin) * 1e3, held_now());
	ungroup(CALL);
}

/* 64 calls with 8 threads each, all growing at once, each with a budget of its own and one for the session. */
static void crowd(void)
{
	static struct grow g = { .mib = 1, .threads = 8 };
	__u64 ids[64], session = group("ten/crowd");
	struct acg_governor counts;
	int i, ended = 0, removed = 0;
	double begin = now();
	pid_t pids[64];
	char name[64];

	clear_counts();
	unrate(session);
	rate(session, (struct acg_rate){ .rate = 200e6, .burst = 1 << 20 });
	for (i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "ten/crowd/call-%d", i);
		ids[i] = group(name);
		rate(ids[i], slow(6));
		pids[i] = child(name, EXT, grow, &g);
	}
	for (i = 0; i < 64; i++)
		ended += reap(pids[i], 60) == 0;
	counts = governed();
	for (i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "ten/crowd/call-%d", i);
		removed += rmdir(file(name, "")) == 0;
		unrate(ids[i]);
	}
	unrate(session);
	report("crowd", "ended=%d removed=%d seconds=%f holds=%llu left=%d enabled=%d fails=%llu not_parked=%llu", ended, removed,
	       now() - begin, counts.holds, held_now(), enabled(), counts.schedule_fails, counts.not_parked);
}

/* A call whose children each grow a little: budgets are the cgroup's, so forking does not get around them. */
static void many_children(void *arg)
{
	struct grow g = { .mib = 1, .threads = 1 };
	int i;

	for (i = 0; i < 60; i++) {
		pid_t pid = fork();

		if (!pid) {
			grow(&g);
			nap(30);
			_exit(0);
		}
	}
	nap(2);
}

static void forks(void)
{
	__u64 id = group(CALL);
	double begin = now(), grown;
	struct acg_governor counts;
	pid_t pid;

	clear_counts();
	unrate(id);
	rate(id, slow(5));
	pid = child(CALL, EXT, many_children, NULL);
	reap(pid, 60);
	grown = memory(CALL);
	counts = governed();
	report("forks", "mb=%f seconds=%f holds=%llu", grown / 1e6, now() - begin, counts.holds);
	put(file(CALL, "cgroup.kill"), "1");
	ungroup(CALL);
	report("forks-gone", "left=%d exists=%d", held_now(), !access(file(CALL, ""), F_OK));
}

static void update(void)
{
	pid_t pid = crawler(CALL, 4, 1);
	__u64 id = group(CALL);
	double before, slow_rate, fast_rate;

	before = memory(CALL);
	nap(1);
	slow_rate = memory(CALL) - before;
	rate(id, slow(40));
	before = memory(CALL);
	nap(1);
	fast_rate = memory(CALL) - before;
	report("update", "slow=%f fast=%f", slow_rate / 1e6, fast_rate / 1e6);
	stop(pid);
	ungroup(CALL);
}

static void levels(void)
{
	static struct grow g = { .mib = 512, .threads = 1 };
	__u64 session = group("ten/lev"), a = group("ten/lev/a"), b = group("ten/lev/b");
	double before, grown;
	pid_t one, two;

	unrate(session);
	rate(session, (struct acg_rate){ .rate = 20e6, .burst = 256 << 10 });
	rate(a, (struct acg_rate){ .rate = 0, .flags = ACG_RATE_CALL });
	rate(b, (struct acg_rate){ .rate = 100e6, .burst = 256 << 10, .flags = ACG_RATE_CALL });
	one = child("ten/lev/a", EXT, grow, &g);
	two = child("ten/lev/b", EXT, grow, &g);
	nap(0.5);
	before = memory("ten/lev");
	nap(2);
	grown = memory("ten/lev") - before;
	report("levels", "session=%f", grown / 2e6);
	stop(one);
	stop(two);
	unrate(session);
	unrate(a);
	unrate(b);
	ungroup("ten/lev/a");
	ungroup("ten/lev/b");
}

/* The agent leaf below a session with a budget: SCHED_EXT even, and never held. */
static void agent(void)
{
	struct grow g = { .mib = 64, .threads = 1, .went = shared_page() };
	__u64 session = group("ten/ag");
	struct acg_governor counts;
	int status;

	group("ten/ag/agent");
	clear_counts();
	unrate(session);
	rate(session, (struct acg_rate){ .rate = 1e6, .burst = 256 << 10 });
	status = reap(child("ten/ag/agent", EXT, grow, &g), 20);
	counts = governed();
	report("agent", "status=%d holds=%llu overs=%llu", status, counts.holds, counts.overs);
	unrate(session);
	ungroup("ten/ag/agent");
}

static void graded(void)
{
	double grown[3];
	int priority;

	for (priority = 0; priority < 3; priority++) {
		static struct grow g = { .mib = 512, .threads = 1 };
		__u64 id = group(CALL);
		double before;
		pid_t pid;

		unrate(id);
		rate(id, (struct acg_rate){ .rate = 10e6, .burst = 256 << 10, .soft = 16 << 20, .priority = priority,
					    .flags = ACG_RATE_CALL });
		pid = child(CALL, EXT, grow, &g);
		nap(0.5);
		before = memory(CALL);
		nap(2);
		grown[priority] = (memory(CALL) - before) / 2e6;
		if (!priority)
			report("soft", "at=%f", before / 1e6);
		stop(pid);
		ungroup(CALL);
	}
	report("graded", "high=%f normal=%f low=%f", grown[0], grown[1], grown[2]);
}

static int headroom_events, headroom_last;

static int on_event(void *context, void *data, size_t size)
{
	struct acg_event_headroom *event = data;

	if (event->head.type == ACG_EVENT_HEADROOM) {
		headroom_events++;
		headroom_last = event->tripped;
	}
	return 0;
}

static void guard(void)
{
	static struct grow g = { .mib = 400, .threads = 1 };
	struct ring_buffer *ring = ring_buffer__new(map("acg_events"), on_event, NULL, NULL);
	__u64 root = group("ten"), low = group("ten/g/low"), high = group("ten/g/high");
	struct acg_guard guard = { .cgroup = root, .low = 32 << 20, .clear = 64 << 20 };
	double low_before, high_before, low_grown, high_grown, resumed;
	pid_t one, two;
	__u32 zero = 0;

	rate(low, (struct acg_rate){ .priority = ACG_PRIORITY_LOW, .flags = ACG_RATE_CALL });
	rate(high, (struct acg_rate){ .rate = 10e6, .burst = 1 << 20, .priority = ACG_PRIORITY_HIGH, .flags = ACG_RATE_CALL });
	guard.limit = memory("ten") + (96 << 20);
	bpf_map_update_elem(map("acg_guard"), &zero, &guard, 0);
	one = child("ten/g/low", EXT, grow, &g);
	two = child("ten/g/high", EXT, grow, &g);
	nap(1.5);
	low_before = memory("ten/g/low");
	high_before = memory("ten/g/high");
	nap(1.5);
	low_grown = memory("ten/g/low") - low_before;
	high_grown = memory("ten/g/high") - high_before;
	bpf_map_lookup_elem(map("acg_guard"), &zero, &guard);
	ring_buffer__consume(ring);
	report("guard", "low_at=%f low_grown=%f high_grown=%f trips=%llu tripped=%d events=%d last=%d", low_before / 1e6,
	       low_grown / 1e6, high_grown / 1e6, guard.trips, guard.tripped_ns != 0, headroom_events, headroom_last);
	guard.limit += 500 << 20;
	bpf_map_update_elem(map("acg_guard"), &zero, &guard, 0);
	low_before = memory("ten/g/low");
	nap(0.5);
	resumed = memory("ten/g/low") - low_before;
	ring_buffer__consume(ring);
	report("guard-clear", "resumed=%f events=%d last=%d", resumed / 1e6, headroom_events, headroom_last);
	memset(&guard, 0, sizeof(guard));
	bpf_map_update_elem(map("acg_guard"), &zero, &guard, 0);
	stop(one);
	stop(two);
	unrate(low);
	unrate(high);
	ungroup("ten/g/low");
	ungroup("ten/g/high");
	ring_buffer__free(ring);
}

static void offline(void)
{
	pid_t pid = crawler(CALL, 1, 4);
	double begin = now(), before, grown;
	int status;

	put("/sys/devices/system/cpu/cpu1/online", "0");
	begin = now() - begin;
	before = memory(CALL);
	nap(1);
	grown = memory(CALL) - before;
	put("/sys/devices/system/cpu/cpu1/online", "1");
	kill(pid, SIGKILL);
	status = reap(pid, 5);
	report("offline", "took_ms=%f grown=%f status=%d enabled=%d left=%d", begin * 1e3, grown / 1e6, status, enabled(),
	       held_now());
	ungroup(CALL);
}

/* Unloaded while tasks are held: they go on at once, unheld. */
static void unloaded(void)
{
	struct grow g = { .mib = 64, .threads = 4, .went = shared_page() };
	__u64 id = group(CALL);
	double begin;
	int status;
	pid_t pid;

	unrate(id);
	rate(id, slow(1));
	pid = child(CALL, EXT, grow, &g);
	nap(0.5);
	begin = now();
	unload();
	status = reap(pid, 20);
	report("unloaded", "status=%d seconds=%f", status, now() - begin);
	ungroup(CALL);
	load(path, "acg_partial");
}

/* The process that loaded everything dies, with all of it pinned: rates stay in force, held tasks are released on time. */
static void orphaned(void)
{
	double before, grown;
	int *ready = shared_page(), fd;
	__u64 id = group(CALL);
	pid_t keeper, pid;
	struct bpf_map *m;
	char pin[128];
	int i;

	unload();
	mkdir("/sys/fs/bpf/acg-orphan", 0700);
	fflush(stdout);
	keeper = fork();
	if (!keeper) {
		int error = load(path, "acg_partial");

		for (i = 0; i < link_count; i++) {
			snprintf(pin, sizeof(pin), "/sys/fs/bpf/acg-orphan/%d", i);
			error = error ?: bpf_link__pin(links[i], pin);
		}
		/* all maps: the kernel cancels the timers in a map that only programs refer to */
		bpf_object__for_each_map(m, object) {
			const char *name = bpf_map__name(m);

			snprintf(pin, sizeof(pin), "/sys/fs/bpf/acg-orphan/%s", strchr(name, '.') ? strchr(name, '.') + 1 : name);
			if (bpf_map__autocreate(m))
				error = error ?: bpf_map__pin(m, pin);
		}
		rate(id, slow(8));
		*ready = error ? -1 : link_count;
		for (;;)
			pause();
	}
	while (!*ready)
		nap(0.01);
	pid = child(CALL, EXT, grow, &(struct grow){ .mib = 512, .threads = 2 });
	nap(0.5);
	kill(keeper, SIGKILL);
	waitpid(keeper, NULL, 0);
	nap(0.2);
	before = memory(CALL);
	nap(2);
	grown = (memory(CALL) - before) / 2e6;
	/* the next daemon finds the map and takes the limit off */
	fd = bpf_obj_get("/sys/fs/bpf/acg-orphan/acg_rates");
	bpf_map_delete_elem(fd, &id);
	before = memory(CALL);
	nap(0.5);
	report("orphaned", "ready=%d enabled=%d rate=%f freed=%f", *ready, enabled(), grown, (memory(CALL) - before) / 0.5e6);
	stop(pid);
	if (system("rm -r /sys/fs/bpf/acg-orphan"))
		printf("# pins left\n");
	ungroup(CALL);
	nap(0.5);
	load(path, "acg_partial");
}

/* Keys left behind by a cgroup that is gone do nothing to others, and a key made again starts afresh. */
static void reused(void)
{
	struct grow g = { .mib = 32, .threads = 1, .went = shared_page() };
	__u64 id = group(CALL), next;
	double first, second;

	unrate(id);
	rate(id, slow(10));
	reap(child(CALL, EXT, grow, &g), 20);
	first = *g.went;
	ungroup(CALL);
	next = group(CALL);
	reap(child(CALL, EXT, grow, &g), 20);
	second = *g.went;
	unrate(id);
	rate(next, slow(10));
	reap(child(CALL, EXT, grow, &g), 20);
	report("reused", "limited=%f free=%f again=%f same=%d", first, second, *g.went, id == next);
	unrate(next);
	ungroup(CALL);
}

static const struct {
	const char *name;
	void (*run)(void);
} checks[] = {
	{ "rates", rates },	  { "killed", killed }, { "frozen", frozen },	  { "exiting", exiting },
	{ "signalled", signalled }, { "oom", out_of_memory }, { "crowd", crowd },	  { "forks", forks },
	{ "update", update },	  { "levels", levels }, { "agent", agent },	  { "graded", graded },
	{ "guard", guard },	  { "offline", offline }, { "reused", reused },	  { "unloaded", unloaded },
	{ "orphaned", orphaned },
};

int main(int argc, char **argv)
{
	size_t i;
	int error, k;

	setvbuf(stdout, NULL, _IOLBF, 0);
	path = argv[1];
	group(CALL);
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
		checks[i].run();
		if (!enabled())
			printf("# after %s the scheduler is gone\n", checks[i].name);
	}
	unload();
	return 0;
}
