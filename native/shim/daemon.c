// SPDX-License-Identifier: Apache-2.0
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void daemon_hang_up(struct daemon *daemon) {
  if (daemon->socket >= 0) close(daemon->socket);
  daemon->socket = -1;
}

static int connect_to(int socket, const char *directory) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  static const char name[] = "/socket";
  if (strlen(directory) + sizeof name <= sizeof address.sun_path) {
    strcpy(stpcpy(address.sun_path, directory), name);
    return connect(socket, (struct sockaddr *)&address, sizeof address);
  }
  // Longer than an address can hold: by way of a descriptor.
  const int folder = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return -1;
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d%s", folder, name);
  const int result = connect(socket, (struct sockaddr *)&address, sizeof address);
  const int error = errno;
  close(folder);
  errno = error;
  return result;
}

enum connected daemon_connect(struct daemon *daemon, const char *directory) {
  daemon->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  daemon->filled = daemon->taken = 0;
  if (daemon->socket < 0) return NEVER;
  if (connect_to(daemon->socket, directory) == 0) return CONNECTED;
  const int error = errno;
  daemon_hang_up(daemon);
  return error == ENOENT || error == ECONNREFUSED || error == EAGAIN || error == EINTR ? NOT_YET : NEVER;
}

bool daemon_send(struct daemon *daemon, struct acg_frame *frame, int wait_ms) {
  if (daemon->socket < 0) return false;
  size_t sent = 0;
  bool ok = acg_finish(frame);
  while (ok && sent < frame->length) {
    const ssize_t done = send(daemon->socket, frame->bytes + sent, frame->length - sent, MSG_NOSIGNAL);
    if (done >= 0) {
      sent += (size_t)done;
    } else if (errno == EAGAIN) {
      struct pollfd room = {.fd = daemon->socket, .events = POLLOUT};
      ok = poll(&room, 1, wait_ms) > 0;
    } else {
      ok = errno == EINTR;
    }
  }
  if (!ok) daemon_hang_up(daemon);
  return ok;
}

// Keeps the last descriptor that was passed and closes any other: a peer cannot fill our table.
static void keep_passed(struct daemon *daemon, struct msghdr *message) {
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      if (daemon->passed >= 0) close(daemon->passed);
      memcpy(&daemon->passed, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
    }
  }
}

enum received daemon_receive(struct daemon *daemon, struct acg_reply *reply) {
  if (daemon->socket < 0) return HUNG_UP;
  memmove(daemon->received, daemon->received + daemon->taken, daemon->filled - daemon->taken);
  daemon->filled -= daemon->taken;
  daemon->taken = 0;
  for (;;) {
    const long length = acg_decode(daemon->received, daemon->filled, reply);
    if (length < 0) break;
    if (length > 0) {
      daemon->taken = (size_t)length;
      return RECEIVED;
    }
    struct iovec part = {daemon->received + daemon->filled, sizeof daemon->received - daemon->filled};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    const ssize_t got = recvmsg(daemon->socket, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return INCOMPLETE;
    if (got <= 0) break;
    keep_passed(daemon, &message);
    daemon->filled += (size_t)got;
  }
  daemon_hang_up(daemon);
  return HUNG_UP;
}
