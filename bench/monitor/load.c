// SPDX-License-Identifier: Apache-2.0
/*
 * A tool call's work, and nothing else: enters the cgroup it is given, then ROUNDS times starts 20 programs and one that touches
 * 16 MiB page by page; prints what each round took, in milliseconds. Static, so that running it reads no other file.
 * With a second word, `fair` or `ext`, it runs in that scheduling class, and each round has some computing in it as well.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 8
#define PROGRAMS 20
#define MEMORY (16 << 20)
#define TURNS 4000000 /* of an empty loop: about 30 ms of the emulated CPU */
#define SCHED_EXT 7

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int touch(void)
{
	char *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return 1;
	madvise(memory, MEMORY, MADV_NOHUGEPAGE);
	for (int i = 0; i < MEMORY; i += 4096)
		memory[i] = 1;
	return 0;
}

static int compute(void)
{
	volatile int turn;

	for (turn = 0; turn < TURNS; turn++)
		;
	return 0;
}

static void enter(const char *cgroup)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1) {
		perror(path);
		exit(1);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	int more = argc > 2;

	if (argc != 2 && argc != 3)
		return 64;
	if (more && strcmp(argv[2], "ext") == 0) {
		struct sched_param none = { 0 };

		if (sched_setscheduler(0, SCHED_EXT, &none)) {
			perror("sched_setscheduler");
			return 1;
		}
	}
	if (strcmp(argv[1], "nothing") == 0)
		return 0;
	if (strcmp(argv[1], "memory") == 0)
		return touch();
	if (strcmp(argv[1], "compute") == 0)
		return compute();
	enter(argv[1]);
	for (int round = 0; round < ROUNDS; round++) {
		double begin = now_ms();

		for (int i = 0; i <= PROGRAMS + more; i++) {
			pid_t child = vfork();

			if (child == 0) {
				execl(argv[0], argv[0], i < PROGRAMS ? "nothing" : i == PROGRAMS ? "memory" : "compute",
				      (char *)NULL);
				_exit(127);
			}
			if (child < 0 || waitpid(child, NULL, 0) != child)
				return 1;
		}
		printf("%.3f\n", now_ms() - begin);
	}
	return 0;
}
