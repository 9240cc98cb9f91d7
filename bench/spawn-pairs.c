/* spawn-pairs N A B: runs `A -c true` and `B -c true` in turn, N times each after 50 for warmth, the first of each pair
 * alternating; prints the wall time of each pair in microseconds. A small process, so that its own fork costs little.
 * SPDX-License-Identifier: Apache-2.0 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double run(char *shell)
{
	char *argv[] = {"bash", "-c", "true", NULL};
	struct timespec begin, end;
	pid_t pid;
	int status;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	if (posix_spawn(&pid, shell, NULL, NULL, argv, environ) || waitpid(pid, &status, 0) < 0 || status != 0)
		exit(1);
	clock_gettime(CLOCK_MONOTONIC, &end);
	return (end.tv_sec - begin.tv_sec) * 1e6 + (end.tv_nsec - begin.tv_nsec) / 1e3;
}

int main(int argc, char **argv)
{
	int n = argc == 4 ? atoi(argv[1]) : 0;

	if (n < 1)
		return 64;
	for (int i = -50; i < n; i++) {
		double a = i % 2 ? run(argv[2]) : 0, b = run(argv[3]);

		if (i % 2 == 0)
			a = run(argv[2]);
		if (i >= 0)
			printf("%.1f %.1f\n", a, b);
	}
	return 0;
}
