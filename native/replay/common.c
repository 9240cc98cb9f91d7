/* SPDX-License-Identifier: Apache-2.0 */
#include "replay.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

void sleep_until(int64_t ns)
{
	struct timespec t = { ns / 1000000000LL, ns % 1000000000LL };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

_Noreturn void fail(const char *what)
{
	fprintf(stderr, "agentcgroup-replay: %s: %s\n", what, strerror(errno));
	exit(70);
}

int open_log(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (fd < 0)
		fail(path);
	return fd;
}

void say(int log, const char *format, ...)
{
	char line[256];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (length >= (int)sizeof(line) || write(log, line, length) != length)
		fail("log");
}

char *reserve(int64_t bytes)
{
	const int64_t huge = 2 * MIB;
	char *memory = mmap(NULL, bytes + huge, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		fail("mmap");
	return memory + (huge - (uintptr_t)memory % huge) % huge;
}

void touch(char *memory, int64_t from, int64_t to)
{
	for (int64_t at = from; at < to; at += 4096)
		*(volatile char *)(memory + at) = 1;
}

void read_file(int fd, int64_t from, int64_t to)
{
	static char buffer[128 * 1024];

	while (from < to) {
		int64_t want = to - from < (int64_t)sizeof(buffer) ? to - from : (int64_t)sizeof(buffer);
		ssize_t got = pread(fd, buffer, want, from);

		if (got <= 0)
			fail("the file of the page cache");
		from += got;
	}
}
