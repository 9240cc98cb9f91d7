/* The replayer: stands for an agent, for its tool calls, and watches their cgroups. See main.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#define MIB ((int64_t)1 << 20)

/* CLOCK_MONOTONIC, nanoseconds: what Node's process.hrtime.bigint() reads too. */
int64_t now_ns(void);
/* Sleeps until then; returns at once when that is past. */
void sleep_until(int64_t ns);
/* Opens for appending, with O_CLOEXEC: every line is one write(2), so lines of several processes never mix. Exits 70 on failure. */
int open_log(const char *path);
void say(int log, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Ends the program with status 70 and a line on stderr. */
_Noreturn void fail(const char *what);

/* Reserves address space for `bytes`, touched by nobody yet, on a boundary of huge pages. */
char *reserve(int64_t bytes);
/* Writes to every page from `from` to `to`. */
void touch(char *memory, int64_t from, int64_t to);
/* Reads a file's bytes from `from` to `to`, which puts them into the page cache, charged to us. */
void read_file(int fd, int64_t from, int64_t to);

int agent(const char *plan, const char *cgroup);
int call(const char *shape, double scale, int attempt);
int sample(const char *root, int64_t every_ms, const char *out);
