// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <time.h>

#include "call.h"
#include "say.h"

// How long a call that ended without a daemon waits for one.
#define WITHOUT_DAEMON_MS 1000
#define RETRY_MS 50

static uint64_t microseconds(const struct timeval *time) {
  return (uint64_t)time->tv_sec * 1000000u + (uint64_t)time->tv_usec;
}

static bool send_ended(struct call *call, int status, const struct rusage *usage) {
  static struct acg_frame frame;
  acg_begin(&frame, ACG_ENDED);
  acg_put_u32(&frame, ACG_TAG_STATUS, (uint32_t)status);
  acg_put_u64(&frame, ACG_TAG_USER_USEC, microseconds(&usage->ru_utime));
  acg_put_u64(&frame, ACG_TAG_SYSTEM_USEC, microseconds(&usage->ru_stime));
  acg_put_u64(&frame, ACG_TAG_MAX_RSS_KIB, (uint64_t)usage->ru_maxrss);
  return daemon_send(&call->daemon, &frame, call->place.wait_ms);
}

// For the next daemon: how the call ended and when.
static void leave_note(const struct call *call, int status) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  char note[64];
  const int length = snprintf(note, sizeof note, "%d %lld", status, now.tv_sec * 1000LL + now.tv_nsec / 1000000);
  // Refused for a session that runs as another user: then the next daemon knows only that the call is over.
  fsetxattr(call->cgroup, "user.agentcgroup.exit", note, (size_t)length, 0);
}

// Waits for one message. False: none came in time, or the daemon went away.
static bool receive_by(struct call *call, long long deadline, struct acg_reply *reply) {
  for (;;) {
    const enum received received = daemon_receive(&call->daemon, reply);
    if (received != INCOMPLETE) return received == RECEIVED;
    const long long left = deadline - now_ms();
    struct pollfd fd = {.fd = call->daemon.socket, .events = POLLIN};
    if (left <= 0 || poll(&fd, 1, (int)left) <= 0) return false;
  }
}

// One attempt to close the call properly.
static bool close_call(struct call *call, int status, const struct rusage *usage) {
  if (call->daemon.socket < 0 && !call_resume(call)) return false;
  call_announce(call);
  if (!send_ended(call, status, usage)) return false;
  const long long deadline = now_ms() + call->place.wait_ms;
  struct acg_reply reply;
  while (receive_by(call, deadline, &reply)) {
    if (reply.type == ACG_RESUMED) continue;
    if (reply.type == ACG_CLOSED) {
      say_feedback(reply.text, reply.text_length);
      return true;
    }
    daemon_hang_up(&call->daemon);  // an ERROR: this daemon does not know the call, perhaps not yet
  }
  return false;
}

void call_finish(struct call *call, int status, const struct rusage *usage) {
  long long deadline = -1;
  while (!close_call(call, status, usage)) {
    const bool silent = call->daemon.socket >= 0;  // it is there, but says nothing
    daemon_hang_up(&call->daemon);
    if (deadline < 0) deadline = now_ms() + WITHOUT_DAEMON_MS;
    if (silent || now_ms() >= deadline) {
      leave_note(call, status);
      return;
    }
    poll(NULL, 0, RETRY_MS);
  }
}
