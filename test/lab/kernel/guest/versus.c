/*
 * The same low-priority hog and high-priority worker under each way to slow the hog down (bench/memcg.ts).
 * Usage: versus SCHEDULER_OBJECT MEMORY_OBJECT REPETITIONS
 */
#include "guest.h"
#include "memory.h"

#define EXT 7
#define HOG "ten/low/call"
#define WORKER "ten/high/call"

#define SOFT (16 * MIB) /* memory.high of its arm: enough for a process with two threads, and some growth */

enum arm { NONE, GOVERNOR, CHARGED, HIGH, ARMS };

/* What the hog does and sees: one thread grows, another one needs the lock of the mapping it grows in now and then. */
struct hog {
	size_t mib;
	double went;	/* seconds; 0: not finished */
	double grown;	/* MiB so far */
	double worst;	/* longest the other thread waited, ms */
	double waited;	/* all it waited beyond a millisecond each, ms */
	int tries;
	char *at;
	int done;
};

static void *other_thread(void *arg)
{
	struct hog *h = arg;
	int shut = 1;

	while (!*(volatile int *)&h->done) {
		double begin = now(), took;

		/* cuts the last page off the mapping that the other thread is faulting in, or joins it again: little work, one lock */
		mprotect(h->at + h->mib * MIB, 4096, shut ? PROT_NONE : PROT_READ | PROT_WRITE);
		shut = !shut;
		took = (now() - begin) * 1e3;
		h->tries++;
		if (took > h->worst)
			h->worst = took;
		if (took > 1)
			h->waited += took;
		nap(0.005);
	}
	return NULL;
}

static void hog(void *arg)
{
	struct hog *h = arg;
	double begin;
	pthread_t other;
	size_t i;

	h->at = mmap(0, h->mib * MIB + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(h->at, h->mib * MIB + 4096, MADV_NOHUGEPAGE);
	pthread_create(&other, NULL, other_thread, h);
	begin = now();
	for (i = 0; i < h->mib * MIB; i += 4096) {
		h->at[i] = 1;
		*(volatile double *)&h->grown = (i + 4096.0) / MIB; /* looked at from outside while it is stuck */
	}
	h->went = now() - begin;
	h->done = 1;
	pthread_join(other, NULL);
}

struct work {
	int most; /* rounds */
	int stop; /* set from outside: no further round */
	int rounds;
	double went; /* seconds at work */
};

/* Takes 4 MiB, uses it, gives it back, pauses, again and again: a CPU is free for the hog half of the time. */
static void work(void *arg)
{
	struct work *w = arg;
	int i, k;

	for (i = 0; i < w->most && !*(volatile int *)&w->stop; i++) {
		double begin = now();
		unsigned char *at = mmap(0, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		madvise(at, 4 * MIB, MADV_NOHUGEPAGE);
		for (k = 0; k < 4 << 20; k += 4096)
			at[k] = at[(k + 8192) & 0x3fffff] + 1;
		munmap(at, 4 * MIB);
		w->rounds = i + 1;
		w->went += now() - begin;
		nap(0.03);
	}
}

static void round_of(const char *scheduler, const char *policy, enum arm arm, int target)
{
	struct hog *h = shared_page();
	struct work *w = shared_page();
	__u64 id = group(HOG);
	int link = -1, status;
	double alone, peak = 0, stalled, begin, limit = 5.0, allowed = 0;
	struct acg_rate r = { .rate = target * 1e6, .burst = 256 << 10, .soft = 0, .priority = ACG_PRIORITY_LOW,
			      .flags = ACG_RATE_CALL };
	pid_t one, two;

	group(WORKER);
	if (arm == GOVERNOR) {
		if (load(scheduler, "acg_partial"))
			exit(1);
		rate(id, r);
	} else if (arm == CHARGED) {
		link = load_memory(policy, file("ten", ""));
		if (link < 0)
			exit(1);
		rate(id, r);
	} else if (arm == HIGH) {
		put(file(HOG, "memory.high"), "%llu", SOFT);
	}
	w->most = 40;
	reap(child(WORKER, 0, work, w), 60);
	alone = w->went / w->rounds;
	w->most = 1 << 20;
	w->went = 0;
	h->mib = target == 20 ? 48 : 160;
	one = child(HOG, arm == GOVERNOR ? EXT : 0, hog, h);
	two = child(WORKER, 0, work, w);
	begin = now();
	while (now() - begin < limit && !h->done) {
		double m = memory(HOG);

		if (m > peak)
			peak = m;
		nap(0.01);
	}
	stalled = h->went ? h->went : now() - begin;
	status = h->done;
	if (arm == GOVERNOR || arm == CHARGED)
		allowed = growth_of(id).overshoot;
	else if (arm == HIGH)
		allowed = peak > SOFT ? peak - SOFT : 0;
	w->stop = 1;
	reap(two, 60);
	put(file(HOG, "memory.high"), "max");
	stop(one);
	report("arm", "arm=%d target=%d finished=%d rate=%f grown=%f overshoot_kib=%f alone_ms=%f beside_ms=%f worst_ms=%f waited_ms=%f tries=%d seconds=%f",
	       arm, target, status, h->grown * 1.048576 / stalled, h->grown, allowed / 1024, alone * 1e3, w->went / w->rounds * 1e3, h->worst,
	       h->waited, h->tries, stalled);
	if (link >= 0)
		close(link);
	unload();
	ungroup(HOG);
	munmap(h, 1 << 16);
	munmap(w, 1 << 16);
}

int main(int argc, char **argv)
{
	int repetitions = atoi(argv[3]), i, arm, target;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < repetitions; i++)
		for (target = 20; target <= 100; target += 80)
			for (arm = 0; arm < ARMS; arm++)
				round_of(argv[1], argv[2], arm, target);
	report("end", "ok=1");
	return 0;
}
