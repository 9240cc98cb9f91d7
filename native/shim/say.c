// SPDX-License-Identifier: Apache-2.0
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static int out = STDERR_FILENO;
static int feedback = -1;

// N of AGENTCGROUP_FEEDBACK=json:N, kept under another number; -1 without one.
static int feedback_descriptor(void) {
  const char *value = getenv("AGENTCGROUP_FEEDBACK");
  if (!value || strncmp(value, "json:", 5) != 0) return -1;
  value += 5;
  const size_t digits = strspn(value, "0123456789");
  if (digits == 0 || digits > 4 || value[digits] != 0) return -1;
  return fcntl(atoi(value), F_DUPFD_CLOEXEC, 10);
}

void say_keep(void) {
  feedback = feedback_descriptor();
  out = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
}

static void write_all(int fd, const char *text, size_t length) {
  while (length > 0) {
    const ssize_t done = write(fd, text, length);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return;  // nobody reads, or it would block (an agent that set O_NONBLOCK): the status matters more
    text += done;
    length -= (size_t)done;
  }
}

static void say_to(int fd, const char *text, size_t length) {
  if (fd < 0 || length == 0) return;
  char part[1024];
  size_t filled = 0;
  for (size_t i = 0; i < length; i++) {
    const unsigned char c = (unsigned char)text[i];
    if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) continue;
    part[filled++] = text[i];
    if (filled == sizeof part) {
      write_all(fd, part, filled);
      filled = 0;
    }
  }
  if (text[length - 1] != '\n') {
    part[filled++] = '\n';
  }
  write_all(fd, part, filled);
}

void say(const char *text, size_t length) { say_to(out, text, length); }

void say_feedback(const char *text, size_t length) { say_to(feedback >= 0 ? feedback : out, text, length); }

void say_error(const char *what, const char *why) {
  char line[512];
  const int length = snprintf(line, sizeof line, "agentcgroup: %s%s%s\n", what, why ? ": " : "", why ? why : "");
  if (length > 0) say(line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

void close_all_but(const int *keep, size_t count) {
  // From gap to gap between what is kept, lowest first.
  unsigned next = 0;
  for (;;) {
    unsigned lowest = ~0u;
    for (size_t i = 0; i < count; i++)
      if (keep[i] >= 0 && (unsigned)keep[i] >= next && (unsigned)keep[i] < lowest) lowest = (unsigned)keep[i];
    const int own[] = {out, feedback};
    for (size_t i = 0; i < 2; i++)
      if (own[i] >= 0 && (unsigned)own[i] >= next && (unsigned)own[i] < lowest) lowest = (unsigned)own[i];
    if (lowest > next) syscall(SYS_close_range, next, lowest - 1, 0u);
    if (lowest == ~0u) return;
    next = lowest + 1;
  }
}
