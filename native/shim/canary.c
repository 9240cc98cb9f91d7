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

static pid_t hatch(void) {
  const pid_t shim = getpid();
  const pid_t canary = fork();
  if (canary != 0) return canary;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != shim) _exit(0);
  prctl(PR_SET_NAME, "acg-canary");
  syscall(SYS_close_range, 0u, ~0u, 0u);
  for (;;) pause();
}

static signal_set pending_at(pid_t canary) {
  char path[32], text[4096];
  snprintf(path, sizeof path, "/proc/%d/status", (int)canary);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  text[length > 0 ? length : 0] = '\0';
  const char *line = strstr(text, "\nShdPnd:");
  return line ? strtoull(line + sizeof "\nShdPnd:" - 1, NULL, 16) : 0;
}

void canary_make(struct canary *canary) {
  canary->pid = hatch();
  canary->owed = 0;
}

static void bury(pid_t canary) {
  kill(canary, SIGKILL);
  waitpid(canary, NULL, 0);
}

bool canary_heard(struct canary *canary, int signal) {
  if (canary->pid < 0) return false;
  const bool owed = signal_in(canary->owed, signal), pending = signal_in(pending_at(canary->pid), signal);
  canary->owed &= ~only_signal(signal);
  if (pending) {
    // A pending signal stays pending, so a new canary has to listen for the next one. What else is pending at the old one
    // was sent to the group too, and is still on its way to the shim.
    const pid_t old = canary->pid;
    canary->pid = hatch();
    canary->owed |= pending_at(old) & ~only_signal(signal);
    bury(old);
  }
  return owed || pending;
}

void canary_end(struct canary *canary) {
  if (canary->pid >= 0) bury(canary->pid);
}
