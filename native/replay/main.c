/*
 * agentcgroup-replay: what the evaluation runs in place of real agents, so that every run asks for the same.
 *
 *   agentcgroup-replay agent PLAN [CGROUP]      an agent: enters CGROUP, sets up what it holds, waits for the barrier, starts its
 *                                               calls through bash, one after the other
 *   PROGRAM ... SHAPE SCALE ATTEMPT             a tool call; PROGRAM is a symbolic link to this file, so that control sees the
 *                                               name of what the call stands for
 *   agentcgroup-replay sample ROOT MS OUT       notes the memory of ROOT and of every cgroup below it, every MS milliseconds, until
 *                                               it is killed
 *
 * PLAN and SHAPE are written by src/study/replay/files.ts, which also reads the logs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "replay.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];

	if (strcmp(name, "agentcgroup-replay") != 0 && argc >= 4)
		return call(argv[argc - 3], atof(argv[argc - 2]), atoi(argv[argc - 1]));
	if (argc >= 3 && strcmp(argv[1], "agent") == 0)
		return agent(argv[2], argc > 3 ? argv[3] : NULL);
	if (argc == 5 && strcmp(argv[1], "sample") == 0)
		return sample(argv[2], atoll(argv[3]), argv[4]);
	fputs("usage: agentcgroup-replay agent PLAN [CGROUP] | sample ROOT MS OUT\n", stderr);
	return 64;
}
