// SPDX-License-Identifier: Apache-2.0
#include "canary.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

pid_t canary_make(void) {
  const pid_t shim = getpid();
  const pid_t canary = fork();
  if (canary != 0) return canary;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != shim) _exit(0);
  prctl(PR_SET_NAME, "acg-canary");
  syscall(SYS_close_range, 0u, ~0u, 0u);
  for (;;) pause();
}

bool canary_heard(pid_t canary, int signal) {
  char path[32], text[4096];
  if (canary < 0) return false;
  snprintf(path, sizeof path, "/proc/%d/status", (int)canary);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  text[length > 0 ? length : 0] = '\0';
  const char *line = strstr(text, "\nShdPnd:");
  return line && (strtoull(line + sizeof "\nShdPnd:" - 1, NULL, 16) >> (signal - 1) & 1) != 0;
}

void canary_end(pid_t canary) {
  if (canary < 0) return;
  kill(canary, SIGKILL);
  waitpid(canary, NULL, 0);
}
