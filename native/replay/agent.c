/*
 * An agent: sets up what it holds, makes calls that do nothing, says that it is ready, waits for the barrier, then thinks and
 * calls, one call after the other, each through bash as agents do. A plan is lines:
 *
 *   log FILE | go FILE | anon BYTES | file BYTES PATH | start MS | set (ready, wait for the barrier)
 *   call N AFTER_MS RETRIES SMALLER HINT SCRIPT     HINT is - for none; SCRIPT, the rest of the line, is what bash runs; %s in it
 *                                                   stands for scale and attempt; @FILE: the script is in a file
 * The file GO appears when all are ready; it holds the moment of the barrier in nanoseconds of CLOCK_MONOTONIC.
 *
 * Into the log:  ready ns  |  ask n attempt ns  |  end n attempt ns status feedback(0|1)  |  fin ns
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "replay.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS 1000000LL
#define WARM_UP 10 /* calls before the barrier */

static int log_fd;

static void enter(const char *cgroup)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		fail(path);
	close(fd);
}

static int64_t barrier(const char *go)
{
	char text[32] = "";
	int fd;

	while ((fd = open(go, O_RDONLY | O_CLOEXEC)) < 0)
		sleep_until(now_ns() + 5 * MS);
	if (read(fd, text, sizeof(text) - 1) <= 0)
		fail(go);
	close(fd);
	sleep_until(atoll(text));
	return atoll(text);
}

/* Was there a word from control in what the call said? Keeps the end of what it has seen, for a word cut in two. */
static bool hears(char *tail, const char *text, ssize_t length)
{
	static const char word[] = "[agentcgroup]";
	char all[4096 + sizeof(word)];
	size_t kept = strlen(tail);

	memcpy(all, tail, kept);
	memcpy(all + kept, text, length);
	all[kept + length] = 0;
	for (size_t i = 0; i < kept + length; i++)
		if (all[i] == 0)
			all[i] = ' ';
	if (strstr(all, word))
		return true;
	size_t keep = kept + length < sizeof(word) - 1 ? kept + length : sizeof(word) - 1;
	memmove(tail, all + kept + length - keep, keep + 1);
	return false;
}

/* Runs a script to its end; a shell's exit status. */
static int run(const char *script, const char *hint, bool *feedback)
{
	int words[2], status;
	char tail[16] = "", text[4096];
	bool over = false;
	pid_t child;

	if (pipe2(words, O_CLOEXEC | O_NONBLOCK) != 0)
		fail("pipe");
	child = fork();
	if (child < 0)
		fail("fork");
	if (child == 0) {
		int none = open("/dev/null", O_RDWR);

		/* a group of its own, as agents give their calls */
		setsid();
		dup2(none, 0);
		dup2(none, 1);
		fcntl(words[1], F_SETFL, 0);
		dup2(words[1], 2);
		if (hint)
			setenv("AGENT_RESOURCE_HINT", hint, 1);
		execl("/bin/bash", "bash", "-c", script, NULL);
		_exit(127);
	}
	close(words[1]);
	while (!over) {
		struct pollfd p = { words[0], POLLIN, 0 };
		ssize_t got;

		poll(&p, 1, -1);
		while ((got = read(words[0], text, sizeof(text))) > 0)
			*feedback = *feedback || hears(tail, text, got);
		over = got == 0 || (got < 0 && errno != EAGAIN);
	}
	close(words[0]);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			fail("waitpid");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void read_script(const char *path, char *script, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, script, room - 1);

	if (got < 0)
		fail(path);
	script[got] = 0;
	close(fd);
}

static void make_call(char *line)
{
	int n, retries, used = 0;
	int64_t after;
	double smaller, scale = 1;
	char hint[256];
	static char script[65536];

	if (sscanf(line, "%d %ld %d %lf %255s %n", &n, &after, &retries, &smaller, hint, &used) != 5 || used == 0) {
		errno = EINVAL;
		fail(line);
	}
	if (line[used] == '@') {
		read_script(line + used + 1, script, sizeof(script));
		retries = 0;
	}
	sleep_until(now_ns() + after * MS);
	for (int attempt = 0; attempt <= retries; attempt++) {
		bool feedback = false;
		char numbers[32];
		const char *place = strstr(line + used, "%s");
		int before = place ? (int)(place - (line + used)) : (int)strlen(line + used), status;

		snprintf(numbers, sizeof(numbers), "%.4f %d", scale, attempt);
		if (line[used] != '@')
			snprintf(script, sizeof(script), "%.*s%s%s", before, line + used, place ? numbers : "",
				 place ? place + 2 : "");
		say(log_fd, "ask %d %d %ld\n", n, attempt, now_ns());
		status = run(script, strcmp(hint, "-") == 0 ? NULL : hint, &feedback);
		say(log_fd, "end %d %d %ld %d %d\n", n, attempt, now_ns(), status, feedback);
		if (status != 137 && status != 143)
			return;
		/* who was told why tries smaller; who was not has no reason to */
		if (feedback)
			scale *= smaller;
	}
}

int agent(const char *plan, const char *cgroup)
{
	static char line[16384], path[4096], go[4096];
	int64_t anon = 0, file = 0, start = 0;
	FILE *in;
	char *memory;

	if (cgroup)
		enter(cgroup);
	in = fopen(plan, "re");
	if (!in)
		fail(plan);
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = 0;
		if (sscanf(line, "log %4095[^\n]", path) == 1)
			log_fd = open_log(path);
		else if (sscanf(line, "go %4095[^\n]", go) == 1 || sscanf(line, "start %ld", &start) == 1)
			continue;
		else if (sscanf(line, "anon %ld", &anon) == 1) {
			memory = reserve(anon);
			touch(memory, 0, anon);
		} else if (sscanf(line, "file %ld %4095[^\n]", &file, path) == 2) {
			int fd = open(path, O_RDONLY | O_CLOEXEC);

			if (fd < 0)
				fail(path);
			read_file(fd, 0, file);
			close(fd);
		} else if (strcmp(line, "set") == 0) {
			bool feedback = false;

			/* before the barrier: shell, interception and control are in memory from then on, and past their first steps */
			for (int i = 0; i < WARM_UP; i++)
				run(":", NULL, &feedback);
			say(log_fd, "ready %ld\n", now_ns());
			sleep_until(barrier(go) + start * MS);
		} else if (strncmp(line, "call ", 5) == 0)
			make_call(line + 5);
		else {
			errno = EINVAL;
			fail(line);
		}
	}
	say(log_fd, "fin %ld\n", now_ns());
	return 0;
}
