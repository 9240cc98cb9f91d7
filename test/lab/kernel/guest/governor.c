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
	nap(0.425); /* in the midst of a hold: each is 50 ms */
	return pid;
}

/* A call that owes so much for one huge page that it is held longer than a callback lasts, and is in a later one now. */
static pid_t debtor(const char *name)
{
	static struct grow g = { .mib = 512, .huge = true, .threads = 1 };
	__u64 id = group(name);
	pid_t pid;

	unrate(id);
	rate(id, slow(0.5));
	pid = child(name, EXT, grow, &g);
	nap(1.325); /* in the midst of a hold, as above */
	return pid;
}

static void rates(void)
{
	/* the first charge is free: of 16 huge pages that would be 6 % */
	static const int rates[] = { 20, 100 }, mib[] = { 32, 96 };
	double *went = shared_page();
	int i, huge;

	for (i = 0; i < 2; i++)
		for (huge = 0; huge < 2; huge++) {
			struct grow g = { .mib = huge ? 2 * mib[i] : mib[i], .huge = huge, .went = went };
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

static int compare(const void *a, const void *b)
{
	return (*(double *)a > *(double *)b) - (*(double *)a < *(double *)b);
}

/*
 * Times that the observer takes are judged by their median: now and then the emulator leaves the CPU that he sleeps on without a
 * turn for long (up to 1 s was seen), while the one that is observed runs on. What must hold each time is counted by the kernel.
 */
static double median_ms(double *seconds, int n)
{
	qsort(seconds, n, sizeof(*seconds), compare);
	return seconds[n / 2] * 1e3;
}

static void killed(void)
{
	double took[8], begin;
	int i, held = 0, removed = 0;
	struct acg_governor counts;

	clear_counts();
	for (i = 0; i < 8; i++) {
		pid_t pid = i % 2 ? debtor(CALL) : crawler(CALL, 0.5, 1);

		held += held_now() == 1;
		begin = now();
		kill(pid, SIGKILL);
		reap(pid, 5);
		took[i] = now() - begin;
		removed += rmdir(file(CALL, "")) == 0;
	}
	counts = governed();
	nap(0.1);
	report("killed", "held=%d took_ms=%f removed=%d left=%d by_kill=%llu", held, median_ms(took, 8), removed, held_now(),
	       counts.releases[ACG_RELEASE_KILL]);
}

static void frozen(void)
{
	double froze_in[6], asked[5];
	int i, froze = 0, ended = 0;
	struct acg_governor counts;

	clear_counts();
	for (i = 0; i < 6; i++) {
		pid_t pid = i % 2 ? debtor(CALL) : crawler(CALL, 0.5, 1);
		double begin = now();

		put(file(CALL, "cgroup.freeze"), "1");
		while (!strstr(get(file(CALL, "cgroup.events")), "frozen 1") && now() - begin < 5)
			nap(0.0005);
		froze_in[i] = now() - begin;
		froze += froze_in[i] < 5;
		put(file(CALL, "cgroup.freeze"), "0");
		kill(pid, SIGKILL);
		ended += reap(pid, 5) != -1;
		ungroup(CALL);
	}
	for (i = 0; i < 5; i++) {
		pid_t pid = crawler(CALL, 0.5, 1);
		struct acg_rate r = slow(0.5);
		double begin = now();

		r.flags |= ACG_RATE_RELEASED;
		rate(group(CALL), r);
		while (held_now() && now() - begin < 5)
			nap(0.0005);
		asked[i] = now() - begin;
		stop(pid);
		ungroup(CALL);
	}
	counts = governed();
	report("frozen", "froze=%d ended=%d took_ms=%f asked_ms=%f left=%d by_freeze=%llu by_flag=%llu", froze, ended,
	       median_ms(froze_in, 6), median_ms(asked, 5), held_now(), counts.releases[ACG_RELEASE_FREEZE], counts.releases[ACG_RELEASE_ASKED]);
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
	double *at = shared_page(), took[5];
	__u64 id = group(CALL);
	int i, status = 0;

	for (i = 0; i < 5; i++) {
		unrate(id);
		rate(id, slow(0.5));
		status |= reap(child(CALL, EXT, exit_soon, at), 10);
		took[i] = now() - *at;
	}
	report("exiting", "status=%d took_ms=%f left=%d", status, median_ms(took, 5), held_now());
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
	double *when = shared_page(), took[5];
	__u64 id = group(CALL);
	int i, heard = 0;

	for (i = 0; i < 5; i++) {
		pid_t pid;

		unrate(id);
		rate(id, slow(0.5));
		*when = 0;
		pid = child(CALL, EXT, listen_and_grow, when);
		nap(0.5);
		took[i] = -now();
		kill(pid, SIGTERM);
		nap(0.5);
		took[i] += *when;
		heard += *when != 0;
		stop(pid);
	}
	report("signalled", "heard=%d took_ms=%f", heard, median_ms(took, 5));
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

/* A call whose children each grow a little, and more of them all the time. */
static void many_children(void *arg)
{
	struct grow g = { .mib = 1, .threads = 1 };

	for (;;)
		if (!fork()) {
			grow(&g);
			for (;;)
				pause();
		}
}

static void forks(void)
{
	__u64 id = group(CALL);
	double begin, grown;

	unrate(id);
	rate(id, slow(5));
	child(CALL, EXT, many_children, NULL);
	nap(1);
	begin = now();
	grown = -memory(CALL);
	nap(8);
	grown += memory(CALL);
	report("forks", "rate=%f processes=%d", grown / 1e6 / (now() - begin), atoi(get(file(CALL, "pids.current"))));
	put(file(CALL, "cgroup.kill"), "1");
	ungroup(CALL);
	report("forks-gone", "left=%d exists=%d", held_now(), !access(file(CALL, ""), F_OK));
}

/* Takes two huge pages, and notes when it could go on after each. */
static void two_pages(void *arg)
{
	volatile double *at = arg;
	char *page = mmap(0, 6 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int i;

	page = (char *)(((size_t)page + 2 * MIB - 1) & ~(2 * MIB - 1));
	madvise(page, 4 * MIB, MADV_HUGEPAGE);
	at[0] = now();
	for (i = 0; i < 2; i++) {
		page[i * 2 * MIB] = 1;
		at[i + 1] = now();
	}
}

/* One charge owes more than anybody is made to wait for. */
static void patience(void)
{
	double *at = shared_page();
	__u64 id = group(CALL);
	int status;

	unrate(id);
	rate(id, slow(0.1));
	at[2] = 0; /* touched here, not on the call's account */
	status = reap(child(CALL, EXT, two_pages, at), 60);
	report("patience", "status=%d first=%f second=%f owed=%f", status, at[1] - at[0], at[2] - at[1], growth(id).overshoot / 0.1e6);
	ungroup(CALL);
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

static void ceilings(void)
{
	report("ceiling", "pace=%f", ceiling(CALL, EXT, slow(1000)));
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

static double low_growth(double seconds)
{
	double before = memory("ten/g/low") + memory("ten/g/slow");

	nap(seconds);
	return (memory("ten/g/low") + memory("ten/g/slow") - before) / 1e6;
}

static void guard(void)
{
	static struct grow g = { .mib = 400, .threads = 1 }, four = { .mib = 400, .threads = 4 };
	struct ring_buffer *ring = ring_buffer__new(map("acg_events"), on_event, NULL, NULL);
	__u64 root = group("ten"), low = group("ten/g/low"), slow_one = group("ten/g/slow"), high = group("ten/g/high");
	struct acg_guard guard = { .cgroup = root, .low = 32 << 20, .clear = 64 << 20 };
	struct acg_rate held = slow(1);
	double low_at, low_grown, high_grown;
	__u32 zero = 0;
	pid_t pids[3];
	int i;

	rate(low, (struct acg_rate){ .priority = ACG_PRIORITY_LOW, .flags = ACG_RATE_CALL });
	rate(high, (struct acg_rate){ .rate = 10e6, .burst = 1 << 20, .priority = ACG_PRIORITY_HIGH, .flags = ACG_RATE_CALL });
	held.priority = ACG_PRIORITY_LOW; /* held already when the guard trips */
	rate(slow_one, held);
	guard.limit = memory("ten") + (96 << 20);
	bpf_map_update_elem(map("acg_guard"), &zero, &guard, 0);
	pids[0] = child("ten/g/slow", EXT, grow, &g);
	pids[1] = child("ten/g/low", EXT, grow, &four);
	pids[2] = child("ten/g/high", EXT, grow, &g);
	nap(1.5);
	low_at = memory("ten/g/low");
	high_grown = -memory("ten/g/high");
	low_grown = low_growth(1.5);
	high_grown += memory("ten/g/high");
	bpf_map_lookup_elem(map("acg_guard"), &zero, &guard);
	ring_buffer__consume(ring);
	report("guard", "low_at=%f low_grown=%f high_grown=%f trips=%llu tripped=%d events=%d last=%d", low_at / 1e6, low_grown,
	       high_grown / 1e6, guard.trips, guard.tripped_ns != 0, headroom_events, headroom_last);
	nap(10 - (now() - guard.tripped_ns / 1e9) - 0.5);
	low_grown = low_growth(0.4);
	nap(0.5);
	report("guard-alone", "before=%f after=%f", low_grown, low_growth(3.2));
	bpf_map_lookup_elem(map("acg_guard"), &zero, &guard);
	guard.limit += 500 << 20;
	bpf_map_update_elem(map("acg_guard"), &zero, &guard, 0);
	low_grown = low_growth(0.5);
	ring_buffer__consume(ring);
	report("guard-clear", "resumed=%f events=%d last=%d", low_grown, headroom_events, headroom_last);
	memset(&guard, 0, sizeof(guard));
	bpf_map_update_elem(map("acg_guard"), &zero, &guard, 0);
	for (i = 0; i < 3; i++)
		stop(pids[i]);
	unrate(low);
	unrate(slow_one);
	unrate(high);
	ungroup("ten/g/low");
	ungroup("ten/g/slow");
	ungroup("ten/g/high");
	ring_buffer__free(ring);
}

/* Somebody takes a program of his out of the kernel: what tasks are held in must not keep him waiting. */
static void detached(void)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, "acg_wake_up"), *each;
	double took[2];
	pid_t pid = 0;
	int i, k = 0, held = 0;

	/* which link is its: load() attaches them in this order */
	bpf_object__for_each_program(each, object) {
		if (each == program)
			break;
		k += bpf_program__type(each) != BPF_PROG_TYPE_STRUCT_OPS && bpf_program__type(each) != BPF_PROG_TYPE_SYSCALL;
	}
	for (i = 0; i < 2; i++) {
		if (i)
			pid = debtor(CALL);
		took[i] = now();
		bpf_link__destroy(links[k]);
		took[i] = now() - took[i];
		held = held_now();
		links[k] = bpf_program__attach(program);
	}
	report("detached", "free_ms=%f held_ms=%f held=%d", took[0] * 1e3, took[1] * 1e3, held);
	stop(pid);
	ungroup(CALL);
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

static void on_cpu(pid_t pid, int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(pid, sizeof(one), &one);
}

static void hog(void *arg)
{
	struct sched_param first = { .sched_priority = 1 };

	on_cpu(0, 1);
	sched_setscheduler(0, SCHED_FIFO, &first);
	spin(arg);
}

/* MB/s of a call whose one task can run on CPU 1 only. */
static double paced(double mb)
{
	pid_t pid = crawler(CALL, mb, 1);
	double grown;

	on_cpu(pid, 1);
	nap(0.5);
	grown = -memory(CALL);
	nap(2);
	grown += memory(CALL);
	stop(pid);
	ungroup(CALL);
	return grown / 2e6;
}

/*
 * Thrown out and armed again, as the daemon does it, with the same maps. First while somebody who owes is in the callback and does not
 * get to leave it, since a real-time task has his CPU; then with a CPU that was taken away under it and came back meanwhile.
 */
static void rearmed(void)
{
	struct bpf_map *table = bpf_object__find_map_by_name(object, "acg_partial");
	int turn, left = 0;
	double rates[2];
	pid_t pid, over = 0;

	group("hog");
	for (turn = 0; turn < 2; turn++) {
		pid = crawler(CALL, 0.5, 1);
		on_cpu(pid, 1);
		nap(0.425);
		if (turn)
			put("/sys/devices/system/cpu/cpu1/online", "0");
		else
			over = child("hog", 0, hog, NULL);
		nap(0.1);
		bpf_link__destroy(links[--link_count]);
		nap(0.1);
		if (turn)
			put("/sys/devices/system/cpu/cpu1/online", "1");
		links[link_count++] = bpf_map__attach_struct_ops(table);
		if (!turn)
			stop(over);
		stop(pid);
		left += abs(held_now());
		ungroup(CALL);
		rates[turn] = paced(8);
	}
	report("rearmed", "enabled=%d left=%d busy=%f back=%f", enabled(), left, rates[0], rates[1]);
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
	{ "orphaned", orphaned }, { "detached", detached }, { "ceiling", ceilings },	  { "patience", patience },
	{ "rearmed", rearmed },
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
