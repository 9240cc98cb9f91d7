// SPDX-License-Identifier: Apache-2.0
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static int out = STDERR_FILENO;

void say_keep(void) { out = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10); }

static void write_all(const char *text, size_t length) {
  while (length > 0) {
    const ssize_t done = write(out, text, length);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return;  // nobody reads, or it would block (an agent that set O_NONBLOCK): the status matters more
    text += done;
    length -= (size_t)done;
  }
}

void say(const char *text, size_t length) {
  if (out < 0 || length == 0) return;
  char part[1024];
  size_t filled = 0;
  for (size_t i = 0; i < length; i++) {
    const unsigned char c = (unsigned char)text[i];
    if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) continue;
    part[filled++] = text[i];
    if (filled == sizeof part) {
      write_all(part, filled);
      filled = 0;
    }
  }
  if (text[length - 1] != '\n') {
    part[filled++] = '\n';
  }
  write_all(part, filled);
}

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
    if (out >= 0 && (unsigned)out >= next && (unsigned)out < lowest) lowest = (unsigned)out;
    if (lowest > next) syscall(SYS_close_range, next, lowest - 1, 0u);
    if (lowest == ~0u) return;
    next = lowest + 1;
  }
}
