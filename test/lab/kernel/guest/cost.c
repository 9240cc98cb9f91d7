/*
 * What memcg_bpf_ops costs a page fault: by a clock that counts instructions, so that little is enough to be seen.
 * Usage: cost MEMORY_OBJECT OTHER_OBJECT ROUNDS       OTHER_OBJECT: fixtures/memcg.bpf.c, compiled
 */
#include "guest.h"
#include "memory.h"

#define CALL "ten/ses/call"
#define PAGES (64 * MIB / 4096)

static double cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void touch(void *arg)
{
	double *ns = arg, begin;
	char *at = mmap(0, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	madvise(at, PAGES * 4096, MADV_NOHUGEPAGE);
	begin = cpu();
	for (i = 0; i < PAGES; i++)
		at[i * 4096] = 1;
	*ns = (cpu() - begin) * 1e9 / PAGES;
}

static void faults(const char *how)
{
	double *ns = shared_page();

	nap(0.5); /* what attaching left behind is done with */
	reap(child(CALL, 0, touch, ns), 60);
	report(how, "ns=%f", *ns);
	munmap(ns, 1 << 16);
}

enum way { NOTHING, ELSEWHERE, POLICY, BUDGET, WAYS };

int main(int argc, char **argv)
{
	int rounds = atoi(argv[3]), i;
	bool patched = strcmp(argv[2], "-");

	setvbuf(stdout, NULL, _IOLBF, 0);
	group("other");
	group(CALL);
	faults("first"); /* whatever is done once */
	for (i = 0; i < rounds * WAYS; i++) {
		enum way way = (i + i / WAYS) % WAYS; /* each comes after each other one */
		struct bpf_object *other;
		__u64 id = group(CALL);
		int link;

		if (way == NOTHING || !patched) {
			faults("nothing");
		} else if (way == ELSEWHERE) {
			other = load_ops(argv[2], "test_memory");
			link = link_ops(bpf_object__find_map_fd_by_name(other, "test_memory"), file("other", ""), CGROUP_FD);
			faults("elsewhere");
			close(link);
			bpf_object__close(other);
		} else {
			link = load_memory(argv[1], file("ten", ""));
			if (way == BUDGET)
				rate(id, (struct acg_rate){ .rate = 1ULL << 40, .burst = 1 << 30, .priority = ACG_PRIORITY_LOW,
							    .flags = ACG_RATE_CALL });
			faults(way == BUDGET ? "budget" : "policy");
			close(link);
			unload();
		}
	}
	report("end", "ok=1");
	return 0;
}
