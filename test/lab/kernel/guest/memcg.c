/*
 * What kernel/patches promise, tried out in the guest. Every check prints its measurements; memcg.test.ts judges them.
 * Usage: memcg OBJECT [CHECK...]     OBJECT: fixtures/memcg.bpf.c, compiled
 */
#include "guest.h"
#include "cgroup-link.h"
#include "memcg.h"

#define SES "ten/ses"
#define CALL "ten/ses/call"
#define OVERRIDE (1U << 0)

static const char *path;

/* One loaded object: its programs, its knobs. Several can be attached to different cgroups. */
struct policy {
	struct bpf_object *object;
	int ops, knobs, seen;
};

static struct policy policy(void)
{
	struct bpf_object *o = load_ops(path, "test_memory");
	struct policy p = { .object = o };

	if (!o)
		exit(1);
	p.ops = bpf_object__find_map_fd_by_name(o, "test_memory");
	p.knobs = bpf_object__find_map_fd_by_name(o, "knobs");
	p.seen = bpf_object__find_map_fd_by_name(o, "seen");
	return p;
}

static int attach_to(struct policy *p, const char *name, unsigned flags)
{
	return link_ops(p->ops, file(name, ""), CGROUP_FD | flags);
}

static void set(struct policy *p, __u32 knob, __u64 value)
{
	bpf_map_update_elem(p->knobs, &knob, &value, BPF_ANY);
}

static __u64 saw(struct policy *p, __u32 what)
{
	__u64 value = 0;

	bpf_map_lookup_elem(p->seen, &what, &value);
	return value;
}

static void drop(struct policy *p)
{
	bpf_object__close(p->object);
}

struct touch {
	int pages;
	double longest; /* of one page, in ms */
	double started, first_long; /* when a delay of more than 4 ms began and had ended */
	int delays; /* pages that took more than 4 ms */
};

/* Touches pages one by one and keeps the longest. */
static void touch(void *arg)
{
	struct touch *t = arg;
	char *at = mmap(0, t->pages * 4096UL + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int i;

	madvise(at, t->pages * 4096UL, MADV_NOHUGEPAGE);
	t->started = now();
	for (i = 0; i < t->pages; i++) {
		double begin = now(), took;

		at[i * 4096UL] = 1;
		took = (now() - begin) * 1e3;
		if (took > t->longest)
			t->longest = took;
		t->delays += took > 4;
	}
}

/* Longest wait for one page of that many, in a fresh process in the cgroup, in ms. */
static double longest(const char *name, int pages)
{
	struct touch *t = shared_page();
	double found;

	*t = (struct touch){ .pages = pages };
	reap(child(name, 0, touch, t), 60);
	found = t->longest;
	munmap(t, 1 << 16);
	return found;
}

static double pressure(const char *name)
{
	const char *at = strstr(get(file(name, "memory.pressure")), "total=");

	return at ? atof(at + 6) / 1e3 : -1;
}

static void delays(void)
{
	static const int wanted[] = { 50, 200, 1000, 2000 };
	struct policy p = policy();
	double before;
	int i, link;

	group(CALL);
	before = longest(CALL, 200);
	link = attach_to(&p, SES, 0);
	for (i = 0; i < 4; i++) {
		struct touch *t = shared_page();
		double stalled = pressure(CALL);

		set(&p, KNOB_DELAY, wanted[i]);
		/* one batch of 64 pages, and what the process itself charges: a delay or two */
		*t = (struct touch){ .pages = 70 };
		reap(child(CALL, 0, touch, t), 60);
		report("delay", "wanted=%d longest=%f delays=%d stalled=%f link=%d", wanted[i], t->longest, t->delays,
		       pressure(CALL) - stalled, link >= 0);
	}
	set(&p, KNOB_DELAY, 8);
	report("short", "wanted=8 longest=%f", longest(CALL, 200));
	set(&p, KNOB_DELAY, 60000);
	report("clamped", "wanted=60000 longest=%f", longest(CALL, 70));
	close(link);
	report("detached", "before=%f after=%f", before, longest(CALL, 200));
	drop(&p);
	ungroup(CALL);
}

static void crawl(void *arg)
{
	struct touch t = { .pages = 1 << 16 };

	touch(&t);
}

static void bounded(void)
{
	struct policy p = policy();
	double begin, killed, froze, oom;
	int link, status, events;
	pid_t pid;

	group(CALL);
	link = attach_to(&p, SES, 0);
	set(&p, KNOB_DELAY, 2000);
	pid = child(CALL, 0, crawl, NULL);
	nap(0.6);
	begin = now();
	kill(pid, SIGKILL);
	reap(pid, 10);
	killed = now() - begin;

	pid = child(CALL, 0, crawl, NULL);
	nap(0.6);
	begin = now();
	put(file(CALL, "cgroup.freeze"), "1");
	while (!strstr(get(file(CALL, "cgroup.events")), "frozen 1") && now() - begin < 8)
		nap(0.001);
	froze = now() - begin;
	put(file(CALL, "cgroup.freeze"), "0");
	stop(pid);

	/* the whole group dies at its limit, delays or not */
	set(&p, KNOB_DELAY, 50);
	put(file(CALL, "memory.max"), "2M");
	put(file(CALL, "memory.oom.group"), "1");
	begin = now();
	pid = child(CALL, 0, crawl, NULL);
	status = reap(pid, 30);
	oom = now() - begin;
	events = !!strstr(get(file(CALL, "memory.events")), "oom_group_kill 1");
	report("bounded", "killed=%f froze=%f oom=%f by=%d group=%d", killed * 1e3, froze * 1e3, oom * 1e3, WTERMSIG(status),
	       events);
	close(link);
	drop(&p);
	ungroup(CALL);
}

/* Together with memory.high: the longer of the two, not the sum; memory.low is no matter. */
static void beside(void)
{
	struct policy p = policy();
	double alone, both, below;
	int link;

	group(CALL);
	put(file(CALL, "memory.high"), "1M");
	alone = longest(CALL, 512);
	link = attach_to(&p, SES, 0);
	set(&p, KNOB_DELAY, 1900);
	both = longest(CALL, 512);
	put(file(CALL, "memory.high"), "max");
	put(file(CALL, "memory.low"), "16M");
	set(&p, KNOB_DELAY, 100);
	below = longest(CALL, 70);
	report("beside", "alone=%f both=%f below=%f", alone, both, below);
	close(link);
	drop(&p);
	ungroup(CALL);
}

static void hierarchy(void)
{
	struct policy p = policy(), q = policy();
	int over, again, above, inner, refused, busy, plain, unknown, nowhere;
	double outside, covered, nested, overridden, inherited, restored, gone;
	__u64 online, id, offline;

	group(CALL);
	group("ten/other");
	set(&p, KNOB_DELAY, 60);
	set(&q, KNOB_DELAY, 300);
	plain = link_ops(p.ops, file(SES, ""), 0);
	unknown = link_ops(p.ops, file(SES, ""), CGROUP_FD | (1U << 1));
	mkdir("/sys/fs/cgroup/bare", 0755);
	mkdir("/sys/fs/cgroup/bare/inner", 0755); /* the memory controller is not enabled for it */
	nowhere = link_ops(p.ops, "/sys/fs/cgroup/bare/inner", CGROUP_FD);
	rmdir("/sys/fs/cgroup/bare/inner");
	rmdir("/sys/fs/cgroup/bare");
	report("refused", "plain=%d unknown=%d nowhere=%d", plain, unknown, nowhere);

	over = attach_to(&p, SES, 0);
	busy = attach_to(&q, SES, 0);
	refused = attach_to(&q, CALL, 0);
	above = attach_to(&q, "ten", OVERRIDE);
	id = group("ten/ses/late");
	online = saw(&p, SEEN_ONLINE_ID) == id;
	covered = longest(CALL, 70);
	nested = longest("ten/ses/late", 70);
	outside = longest("ten/other", 70);
	ungroup("ten/ses/late");
	nap(0.2);
	offline = saw(&p, SEEN_OFFLINE_ID) == id;
	report("covers", "busy=%d below=%d above=%d online=%llu offline=%llu covered=%f late=%f outside=%f", busy, refused, above,
	       online, offline, covered, nested, outside);
	close(over);

	over = attach_to(&p, SES, OVERRIDE);
	inner = attach_to(&q, CALL, 0);
	again = attach_to(&p, CALL, 0);
	overridden = longest(CALL, 70);
	group("ten/ses/call/deep");
	inherited = longest("ten/ses/call/deep", 70);
	close(inner);
	restored = longest("ten/ses/call/deep", 70);
	ungroup("ten/ses/call/deep");
	close(over);
	gone = longest("ten/other", 70);
	report("overrides", "inner=%d again=%d overridden=%f inherited=%f restored=%f gone=%f", inner >= 0, again, overridden,
	       inherited, restored, gone);

	/* the outer one goes first: what is below keeps its own, then has none */
	over = attach_to(&p, SES, OVERRIDE);
	group(CALL);
	put(file(CALL, "cgroup.subtree_control"), "-cpu -memory -cpuset -pids");
	inner = attach_to(&q, CALL, 0);
	close(over);
	overridden = longest(CALL, 70);
	close(inner);
	gone = longest(CALL, 70);
	report("outer", "kept=%f gone=%f", overridden, gone);
	drop(&p);
	drop(&q);
	ungroup(CALL);
	ungroup("ten/other");
}

static double stat_of(const char *name, const char *field)
{
	const char *text = get(file(name, "memory.stat")), *at;
	char key[64];

	snprintf(key, sizeof(key), "\n%s ", field);
	at = strstr(text, key);
	return at ? atof(at + strlen(key)) : -1;
}

/* Two calls with 24 MiB of page cache each; reclaim wants 20 MiB from the session: from whom? */
static void protection(void)
{
	enum { NONE, LOW, LOW_BOTH, MIN_BOTH, HOWS };
	struct policy p = policy();
	int link, i;

	for (i = 0; i < HOWS; i++) {
		int *done = shared_page();
		struct range a = { getenv("BIG_FILE"), 0, 24 * MIB, done }, b = { a.file, 24 * MIB, 24 * MIB, done + 1 };
		__u64 mine = group("ten/keep/a"), other = group("ten/keep/b");
		double had_a, had_b;
		pid_t one, two;
		int error;

		link = attach_to(&p, "ten", 0);
		one = child("ten/keep/a", 0, cache, &a);
		two = child("ten/keep/b", 0, cache, &b);
		cached(&a);
		cached(&b);
		had_a = stat_of("ten/keep/a", "file");
		had_b = stat_of("ten/keep/b", "file");
		set(&p, KNOB_LOW, i == LOW || i == LOW_BOTH ? mine : 0);
		set(&p, KNOB_LOW_TOO, i == LOW_BOTH ? other : 0);
		set(&p, KNOB_MIN, i == MIN_BOTH ? mine : 0);
		set(&p, KNOB_MIN_TOO, i == MIN_BOTH ? other : 0);
		error = put(file("ten/keep", "memory.reclaim"), "20M");
		report("protection", "how=%d had_a=%f had_b=%f lost_a=%f lost_b=%f asked=%llu error=%d", i, had_a / MIB,
		       had_b / MIB, (had_a - stat_of("ten/keep/a", "file")) / MIB, (had_b - stat_of("ten/keep/b", "file")) / MIB,
		       saw(&p, SEEN_LOW) + saw(&p, SEEN_MIN), error);
		stop(one);
		stop(two);
		close(link);
		set(&p, KNOB_MIN, 0);
		set(&p, KNOB_MIN_TOO, 0);
		ungroup("ten/keep/a");
		ungroup("ten/keep/b");
		/* who brings a page in pays for it: the next must find none */
		put("/proc/sys/vm/drop_caches", "1");
	}
	drop(&p);
}

/* A daemon that attached, pinned and was killed: the policy stays until the pin goes. */
static void outlives(void)
{
	double pinned, after;
	pid_t pid;

	group(CALL);
	mkdir("/sys/fs/bpf/memcg-test", 0700);
	pid = fork();
	if (!pid) {
		struct policy p = policy();
		int link = attach_to(&p, SES, 0);

		set(&p, KNOB_DELAY, 80);
		if (bpf_obj_pin(link, "/sys/fs/bpf/memcg-test/link"))
			printf("# pin: %s\n", strerror(errno));
		fflush(stdout);
		kill(getpid(), SIGKILL);
	}
	reap(pid, 30);
	pinned = longest(CALL, 70);
	unlink("/sys/fs/bpf/memcg-test/link");
	nap(0.3);
	after = longest(CALL, 70);
	report("outlives", "pinned=%f after=%f", pinned, after);
	ungroup(CALL);
}

/* The cgroup goes while it is attached: the link stays, without effect, and can be closed later. */
static void removed(void)
{
	struct policy p = policy();
	int link, again;
	double fresh, attached;

	group(CALL);
	put(file(CALL, "cgroup.subtree_control"), "-cpu -memory -cpuset -pids");
	link = attach_to(&p, CALL, 0);
	set(&p, KNOB_DELAY, 70);
	longest(CALL, 70);
	ungroup(CALL);
	nap(0.2);
	group(CALL);
	put(file(CALL, "cgroup.subtree_control"), "-cpu -memory -cpuset -pids");
	fresh = longest(CALL, 70);
	again = attach_to(&p, CALL, 0);
	attached = longest(CALL, 70);
	close(link);
	report("removed", "offline=%llu fresh=%f again=%d attached=%f still=%f", saw(&p, SEEN_OFFLINE), fresh, again >= 0,
	       attached, longest(CALL, 70));
	close(again);
	drop(&p);
	ungroup(CALL);
}

static volatile bool racing;

static void race_grow(void *arg)
{
	for (;;) {
		struct touch t = { .pages = 600 };
		char *at;

		touch(&t);
		at = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(at, 1, 1 << 20);
		munmap(at, 1 << 20);
	}
}

static long attached, refusals, made;

static void *race_attach(void *arg)
{
	const char *name = arg;
	struct policy p = policy();

	set(&p, KNOB_DELAY, 12);
	while (racing) {
		int link = attach_to(&p, name, OVERRIDE);

		if (link >= 0) {
			__sync_fetch_and_add(&attached, 1);
			if (attached % 3)
				bpf_link_detach(link);
			close(link);
		} else {
			__sync_fetch_and_add(&refusals, 1);
		}
	}
	drop(&p);
	return NULL;
}

static void *race_tree(void *arg)
{
	char name[64];
	int turn = 0;

	snprintf(name, sizeof(name), "ten/race/%ld", (long)arg);
	while (racing) {
		char deep[80];
		pid_t pid;

		snprintf(deep, sizeof(deep), "%s/deep", name);
		group(deep);
		pid = child(deep, 0, race_grow, NULL);
		nap(0.01 * (turn++ % 5));
		if (turn % 2)
			put(file("ten/race", "memory.reclaim"), "1M");
		stop(pid);
		ungroup(deep);
		ungroup(name);
		__sync_fetch_and_add(&made, 1);
	}
	return NULL;
}

/* Attach, detach and cgroups that come, grow and go, all at once, for RACE_SECONDS. */
static void race(void)
{
	double seconds = atof(getenv("RACE_SECONDS") ?: "4"), begin = now();
	static const char *places[] = { "ten", "ten/race", "ten/race/0", "ten/race/1/deep" };
	pthread_t threads[6];
	long i;

	group("ten/race");
	group("ten/race/none");
	ungroup("ten/race/none");
	racing = true;
	for (i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, race_attach, (void *)places[i]);
	for (i = 0; i < 2; i++)
		pthread_create(&threads[4 + i], NULL, race_tree, (void *)i);
	nap(seconds);
	racing = false;
	for (i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	ungroup("ten/race");
	report("race", "seconds=%f attached=%ld refusals=%ld made=%ld", now() - begin, attached, refusals, made);
}

static const struct {
	const char *name;
	void (*run)(void);
} checks[] = {
	{ "delays", delays },	  { "bounded", bounded },   { "beside", beside },   { "hierarchy", hierarchy },
	{ "protection", protection }, { "outlives", outlives }, { "removed", removed }, { "race", race },
};

int main(int argc, char **argv)
{
	const char *stats;
	size_t i;
	int k;

	setvbuf(stdout, NULL, _IOLBF, 0);
	path = argv[1];
	for (i = 0; i < sizeof(checks) / sizeof(*checks); i++)
		for (k = 2; k < argc; k++)
			if (!strcmp(argv[k], checks[i].name))
				checks[i].run();
	/* lockdep switches itself off with its first report, or when its tables are full */
	stats = strstr(get("/proc/lockdep_stats"), "debug_locks:");
	report("watched", "locks=%d", stats ? atoi(stats + strlen("debug_locks:")) : -1);
	report("end", "ok=1");
	return 0;
}
