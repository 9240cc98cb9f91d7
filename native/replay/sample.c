/*
 * Watches a tree of cgroups from outside: at every tick one line for the root and one for each cgroup below it,
 *
 *   T ns bytes                         memory.current of the root
 *   C path bytes frozen high           path below the root; frozen 0 or 1; memory.high in bytes, -1 for none
 *
 * Files stay open from tick to tick, so that watching costs all arms the same little.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "replay.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_CGROUPS 1024

struct watched {
	char path[512];
	int current, high, freeze;
	bool seen;
};

static struct watched *all[MAX_CGROUPS];
static int count;

static int64_t number(int fd)
{
	char text[64];
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);

	if (got <= 0)
		return -2;
	text[got] = 0;
	return text[0] == 'm' ? -1 : atoll(text);
}

static int open_in(const char *root, const char *path, const char *file)
{
	char name[4096];

	snprintf(name, sizeof(name), "%s%s/%s", root, path, file);
	return open(name, O_RDONLY | O_CLOEXEC);
}

static struct watched *find(const char *root, const char *path)
{
	struct watched *w;

	for (int i = 0; i < count; i++)
		if (strcmp(all[i]->path, path) == 0)
			return all[i];
	if (count == MAX_CGROUPS || strlen(path) >= sizeof(w->path))
		return NULL;
	w = calloc(1, sizeof(*w));
	strcpy(w->path, path);
	w->current = open_in(root, path, "memory.current");
	w->high = open_in(root, path, "memory.high");
	w->freeze = open_in(root, path, "cgroup.freeze");
	all[count++] = w;
	return w;
}

static void walk(const char *root, const char *path)
{
	char name[4096], below[4096];
	struct dirent *entry;
	struct watched *w;
	DIR *dir;

	snprintf(name, sizeof(name), "%s%s", root, path);
	dir = opendir(name);
	if (!dir)
		return; /* gone in the meantime */
	if (*path && (w = find(root, path)))
		w->seen = true;
	while ((entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		walk(root, below);
	}
	closedir(dir);
}

static void drop(int i)
{
	close(all[i]->current);
	close(all[i]->high);
	close(all[i]->freeze);
	free(all[i]);
	all[i] = all[--count];
}

int sample(const char *root, int64_t every_ms, const char *out)
{
	FILE *to = fopen(out, "ae");
	int node = open_in(root, "", "memory.current");
	int64_t tick = now_ns();

	if (!to || node < 0)
		fail(out);
	for (;; tick += every_ms * 1000000) {
		int64_t now;

		sleep_until(tick);
		now = now_ns();
		/* ticks that could not be kept are left out, not made up for */
		if (now > tick + every_ms * 1000000)
			tick = now;
		fprintf(to, "T %ld %ld\n", now, number(node));
		for (int i = 0; i < count; i++)
			all[i]->seen = false;
		walk(root, "");
		for (int i = count - 1; i >= 0; i--) {
			struct watched *w = all[i];
			int64_t bytes = w->seen ? number(w->current) : -2;

			if (bytes < 0)
				drop(i);
			else
				fprintf(to, "C %s %ld %d %ld\n", w->path, bytes, number(w->freeze) == 1, number(w->high));
		}
		if (fflush(to) != 0)
			fail(out);
	}
}
