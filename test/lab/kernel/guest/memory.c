/*
 * What bpf/memory.bpf.c promises on a kernel with memcg_bpf_ops, tried out in the guest. Every check prints its measurements;
 * memory.test.ts judges them.
 * Usage: memory OBJECT [CHECK...]
 */
#include "guest.h"
#include "memory.h"

#define CALL "ten/ses/call"

static struct acg_rate slow(double mb, __u32 priority)
{
	return (struct acg_rate){ .rate = mb * 1e6, .burst = 256 << 10, .priority = priority, .flags = ACG_RATE_CALL };
}

static void rates(void)
{
	static const int rates[] = { 20, 100 };
	double *went = shared_page();
	int i;

	for (i = 0; i < 2; i++) {
		struct grow g = { .mib = rates[i] == 20 ? 24 : 64, .went = went };
		__u64 id = group(CALL);
		struct acg_governor counts;
		int status;

		clear_counts();
		unrate(id);
		rate(id, slow(rates[i], ACG_PRIORITY_LOW));
		status = reap(child(CALL, 0, grow, &g), 30);
		counts = governed();
		report("rate", "target=%d status=%d rate=%f overshoot=%f holds=%llu", rates[i], status, g.mib * 1.048576 / *went,
		       growth_of(id).overshoot / 1024.0, counts.holds);
	}
	ungroup(CALL);
}

/* Grows for two seconds at most; what became of it, in MB. */
static double grown(const char *name, double mb, __u64 soft, __u32 priority, __u32 flags, __u64 *delayed_ns)
{
	static struct grow g = { .mib = 600 };
	__u64 id = group(name);
	double before, after;
	pid_t pid;

	unrate(id);
	rate(id, (struct acg_rate){ .rate = mb * 1e6, .burst = 256 << 10, .soft = soft, .priority = priority, .flags = flags });
	before = memory(name);
	pid = child(name, 0, grow, &g);
	nap(2);
	/* what nobody holds back may be through with it by now: then all has been given back */
	after = atof(get(file(name, "memory.peak")));
	*delayed_ns = growth_of(id).held_ns;
	stop(pid);
	ungroup(name);
	return (after - before) / 1e6;
}

/* The same budget of 4 MB/s by headroom: none is looked at, plenty, half of the way, next to none. */
static void headroom(void)
{
	__u64 root = group("ten"), ns[7];
	double all, plenty, half, pace, tripped, high, agent;
	struct acg_guard g = { .cgroup = root };
	struct acg_growth untouched;

	guard((struct acg_guard){ 0 });
	all = grown(CALL, 4, MIB, ACG_PRIORITY_HIGH, ACG_RATE_CALL, &ns[0]);
	g.limit = 4096 * MIB, g.low = 256 * MIB, g.clear = 512 * MIB;
	guard(g);
	plenty = grown(CALL, 4, MIB, ACG_PRIORITY_HIGH, ACG_RATE_CALL, &ns[1]);
	pace = grown(CALL, 4, 0, ACG_PRIORITY_HIGH, ACG_RATE_CALL, &ns[6]);
	g.limit = 1000 * MIB, g.low = 500 * MIB, g.clear = 1500 * MIB;
	guard(g);
	half = grown(CALL, 4, MIB, ACG_PRIORITY_HIGH, ACG_RATE_CALL, &ns[2]);
	g.limit = 64 * MIB, g.low = 128 * MIB, g.clear = 256 * MIB;
	guard(g);
	tripped = grown(CALL, 1000, 0, ACG_PRIORITY_LOW, ACG_RATE_CALL, &ns[3]);
	g.tripped_ns = 0;
	high = grown(CALL, 1000, 0, ACG_PRIORITY_HIGH, ACG_RATE_CALL, &ns[4]);
	agent = grown("ten/ses/agent", 1, 0, ACG_PRIORITY_LOW, 0, &ns[5]);
	untouched = growth_of(group("ten/ses/agent"));
	guard((struct acg_guard){ 0 });
	report("headroom", "all=%f plenty=%f half=%f pace=%f tripped=%f high=%f agent=%f agent_overs=%llu", all, plenty, half, pace,
	       tripped, high, agent, untouched.overs);
	report("delayed", "all=%f plenty=%f half=%f tripped=%f high=%f agent=%f", ns[0] / 1e6, ns[1] / 1e6, ns[2] / 1e6,
	       ns[3] / 1e6, ns[4] / 1e6, ns[5] / 1e6);
	ungroup("ten/ses/agent");
}

/* With plenty of headroom on the node: from a soft ceiling of 16 MiB on, and with a pace that would be through in 32 ms. */
static void ceilings(void)
{
	struct acg_guard plenty = { .cgroup = group("ten"), .limit = 4096 * MIB, .low = 256 * MIB, .clear = 512 * MIB };
	struct acg_rate band = slow(16, ACG_PRIORITY_HIGH), pace = slow(1000, ACG_PRIORITY_LOW);

	guard(plenty);
	band.soft = 16 * MIB;
	report("ceiling", "band=%f pace=%f", ceiling(CALL, 0, band), ceiling(CALL, 0, pace));
	guard((struct acg_guard){ 0 });
}

static bool has(const char *name, __u64 id)
{
	char value[256];

	return !bpf_map_lookup_elem(map(name), &id, value);
}

/* Ids are used again: what was said about a cgroup goes with it. */
static void forgotten(void)
{
	__u64 id = group(CALL);
	struct acg_need need = { .most = 1 << 20 };
	int before, after;

	rate(id, slow(20, ACG_PRIORITY_LOW));
	bpf_map_update_elem(map("acg_needs"), &id, &need, BPF_ANY);
	before = has("acg_rates", id) + has("acg_needs", id);
	ungroup(CALL);
	nap(0.3);
	after = has("acg_rates", id) + has("acg_needs", id) + has("acg_growth", id);
	report("forgotten", "before=%d after=%d", before, after);
}

static struct acg_protection protected(void)
{
	struct acg_protection sum;

	sum_percpu("acg_protection", (__u64 *)&sum, sizeof(sum));
	return sum;
}

static void hold(void *arg)
{
	struct grow g = { .mib = *(size_t *)arg };

	grow(&g);
	pause();
}

/*
 * Two sessions with a call each that has 24 MiB; reclaim wants 16 MiB. The first one's call runs, or the session is over its
 * bound, or none runs, or one runs but has nothing except file pages that nobody has been seen using.
 */
static void needs(void)
{
	enum { IDLE, RUNNING, OVER, COLD, HOWS };
	static size_t mib = 24;
	int how;

	for (how = 0; how < HOWS; how++) {
		struct range a = { getenv("BIG_FILE"), 0, 24 * MIB, shared_page() };
		__u64 mine = group("ten/mine"), other = group("ten/other");
		struct acg_need need = { .most = how == OVER ? 4 * MIB : 256 * MIB, .running = how != IDLE };
		struct acg_need idle = { .most = 256 * MIB };
		struct acg_protection before = protected(), after;
		double had_a, had_b;
		pid_t one, two;

		group("ten/mine/call");
		group("ten/other/call");
		bpf_map_update_elem(map("acg_needs"), &mine, &need, BPF_ANY);
		bpf_map_update_elem(map("acg_needs"), &other, &idle, BPF_ANY);
		one = how == COLD ? child("ten/mine/call", 0, cache, &a) : child("ten/mine/call", 0, hold, &mib);
		two = child("ten/other/call", 0, hold, &mib);
		if (how == COLD)
			cached(&a);
		/* the kernel brings statistics up to date every two seconds, but not while the CPU is idle; reading does it at once */
		nap(3);
		get(file("ten", "memory.stat"));
		had_a = memory("ten/mine/call");
		had_b = memory("ten/other/call");
		put(file("ten", "memory.reclaim"), "16M");
		after = protected();
		report("need", "how=%d had_a=%f had_b=%f lost_a=%f lost_b=%f asked=%llu low=%llu idle=%llu over=%llu cold=%llu", how,
		       had_a / MIB, had_b / MIB, (had_a - memory("ten/mine/call")) / MIB, (had_b - memory("ten/other/call")) / MIB,
		       after.asked - before.asked, after.low - before.low, after.idle - before.idle, after.over - before.over,
		       after.cold - before.cold);
		stop(one);
		stop(two);
		ungroup("ten/mine/call");
		ungroup("ten/other/call");
		ungroup("ten/mine");
		ungroup("ten/other");
		put("/proc/sys/vm/drop_caches", "1");
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} checks[] = {
	{ "rates", rates },
	{ "headroom", headroom },
	{ "ceiling", ceilings },
	{ "forgotten", forgotten },
	{ "needs", needs },
};

int main(int argc, char **argv)
{
	size_t i;
	int k, link;

	setvbuf(stdout, NULL, _IOLBF, 0);
	group(CALL);
	link = load_memory(argv[1], file("ten", ""));
	report("load", "link=%d", link);
	if (link < 0)
		return 1;
	for (i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
		bool wanted = argc < 3;

		for (k = 2; k < argc; k++)
			wanted |= !strcmp(argv[k], checks[i].name);
		if (wanted)
			checks[i].run();
	}
	close(link);
	unload();
	return 0;
}
