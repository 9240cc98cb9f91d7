/*
 * A tool call after a shape: grows and shrinks, reads files, keeps CPUs busy, alone or divided among workers, and times every
 * MiB it grows by. A shape is lines of words:
 *
 *   log FILE | n NUMBER | mode time|work | workers N | pause MS | file PATH OFFSET
 *   point MS ANON FILE CPU       what it holds at that moment of its own time; in between it changes evenly
 *
 * Into the log:  S n attempt worker ns   |  G n worker us   |  P n worker from to (ns)  |  E n worker ns
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "replay.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000LL
/* Longest slot in which growth, work and rest take turns. */
#define SLOT_NS (20 * MS)

struct point {
	int64_t at, anon, file;
	double cpu;
};

static struct {
	int log, n, workers, file;
	int64_t pause, file_offset;
	bool work_driven;
	struct point *points;
	int count;
} shape = { .workers = 1, .file = -1, .pause = 100 * MS };

static void read_shape(const char *path, double scale)
{
	char line[4096], word[4096];
	FILE *in = fopen(path, "re");

	if (!in)
		fail(path);
	while (fgets(line, sizeof(line), in)) {
		struct point p;

		if (sscanf(line, "log %4095[^\n]", word) == 1)
			shape.log = open_log(word);
		else if (sscanf(line, "mode %4095s", word) == 1)
			shape.work_driven = strcmp(word, "work") == 0;
		else if (sscanf(line, "pause %ld", &shape.pause) == 1)
			shape.pause *= MS;
		else if (sscanf(line, "file %ld %4095[^\n]", &shape.file_offset, word) == 2)
			shape.file = open(word, O_RDONLY | O_CLOEXEC);
		else if (sscanf(line, "point %ld %ld %ld %lf", &p.at, &p.anon, &p.file, &p.cpu) == 4) {
			p.at *= MS;
			p.anon *= scale;
			p.file *= scale;
			shape.points = realloc(shape.points, (shape.count + 1) * sizeof(p));
			shape.points[shape.count++] = p;
		} else if (sscanf(line, "n %d", &shape.n) != 1 && sscanf(line, "workers %d", &shape.workers) != 1) {
			errno = EINVAL;
			fail(line);
		}
	}
	fclose(in);
	if (shape.log == 0 || shape.count == 0 || shape.workers < 1) {
		errno = EINVAL;
		fail(path);
	}
}

/* Uses up CPU time of this thread. */
static void burn(int64_t ns)
{
	struct timespec t;
	int64_t until;

	if (ns <= 0)
		return;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	until = t.tv_sec * 1000000000LL + t.tv_nsec + ns;
	do {
		for (volatile int i = 0; i < 2000; i++)
			;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	} while (t.tv_sec * 1000000000LL + t.tv_nsec < until);
}

struct worker {
	int number;
	char *memory;
	/* Held now, and what the file has been read to; bytes of this worker. */
	int64_t anon, file;
};

static void grow(struct worker *w, int64_t to)
{
	while (w->anon < to) {
		int64_t next = (w->anon / MIB + 1) * MIB, begin = now_ns();

		if (next > to)
			next = to;
		touch(w->memory, w->anon, next);
		/* a part of a MiB is no growth step: its time would look better than it is */
		if (next - w->anon == MIB)
			say(shape.log, "G %d %d %ld\n", shape.n, w->number, (now_ns() - begin) / 1000);
		w->anon = next;
	}
}

static int64_t between(int64_t a, int64_t b, int64_t part, int64_t whole)
{
	return whole <= 0 ? b : a + (int64_t)((double)(b - a) * part / whole);
}

static void work(struct worker *w)
{
	const struct point *p = shape.points;
	int64_t begin = now_ns(), late = 0, k = shape.workers;

	for (int i = 0; i < shape.count; i++) {
		struct point from = i > 0 ? p[i - 1] : (struct point){ 0, 0, 0, 0 };
		int64_t span = p[i].at - from.at;
		int slots = span <= 0 ? 1 : (span + SLOT_NS - 1) / SLOT_NS;

		for (int s = 1; s <= slots; s++) {
			int64_t slot = span / slots, started = now_ns();
			int64_t end = begin + late + from.at + slot * s;
			int64_t anon = between(from.anon, p[i].anon, s, slots) / k;
			/* growth goes by whole MiB, what is left over comes last */
			if (s < slots && anon > w->anon)
				anon = anon / MIB * MIB > w->anon ? anon / MIB * MIB : w->anon;
			int64_t file = between(from.file, p[i].file, s, slots) / k;

			if (anon < w->anon) {
				/* whole pages from the top */
				int64_t keep = (anon + 4095) & ~4095LL;

				madvise(w->memory + keep, ((w->anon + 4095) & ~4095LL) - keep, MADV_DONTNEED);
				w->anon = keep;
			}
			grow(w, anon);
			if (file > w->file && shape.file >= 0) {
				int64_t own = shape.file_offset + w->number * (shape.points[shape.count - 1].file / k);

				read_file(shape.file, own + w->file, own + file);
				w->file = file;
			}
			burn((int64_t)(slot * from.cpu / k));
			sleep_until(end);
			int64_t now = now_ns(), over = now - (started > end ? started + slot : end);

			if (over > shape.pause)
				say(shape.log, "P %d %d %ld %ld\n", shape.n, w->number, now - over, now);
			if (shape.work_driven && now > end)
				late += now - end;
		}
	}
}

static int64_t most(void)
{
	int64_t top = 0;

	for (int i = 0; i < shape.count; i++)
		if (shape.points[i].anon > top)
			top = shape.points[i].anon;
	return top;
}

static int run_worker(int number, int attempt)
{
	struct worker w = { .number = number };

	w.memory = reserve(most() / shape.workers + 4096);
	say(shape.log, "S %d %d %d %ld\n", shape.n, attempt, number, now_ns());
	work(&w);
	say(shape.log, "E %d %d %ld\n", shape.n, number, now_ns());
	return 0;
}

int call(const char *path, double scale, int attempt)
{
	int status, failed = 0;
	pid_t *children;

	read_shape(path, scale);
	if (shape.workers == 1)
		return run_worker(0, attempt);
	children = calloc(shape.workers, sizeof(*children));
	for (int i = 0; i < shape.workers; i++) {
		children[i] = fork();
		if (children[i] < 0)
			fail("fork");
		if (children[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			_exit(run_worker(i, attempt));
		}
	}
	/* a call that loses a worker has failed, as a build or a test run would have: the others go too */
	while (wait(&status) > 0) {
		if (status == 0 || failed)
			continue;
		failed = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		for (int i = 0; i < shape.workers; i++)
			kill(children[i], SIGKILL);
	}
	return failed;
}
