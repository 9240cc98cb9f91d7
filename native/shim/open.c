// SPDX-License-Identifier: Apache-2.0
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "call.h"

#define RETRY_MS 25

long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

// The only variables that leave the process.
static const char *const shared[] = {
    "AGENT_RESOURCE_HINT", "AGENTCGROUP_FEEDBACK", "CLAUDE_CODE_SESSION_ID", "CODEX_SESSION_ID", "CODEX_TOOL_CALL_ID",
    "PI_SESSION_ID",       "OPENCODE_PID",         "GEMINI_CLI",             "CLAUDE_PID",       "AGENTCGROUP_CALL_ID",
};

static void put_environment(struct acg_frame *frame, char *const envp[]) {
  for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
    const size_t name = strlen(shared[i]);
    for (char *const *entry = envp; *entry; entry++) {
      if (strncmp(*entry, shared[i], name) != 0 || (*entry)[name] != '=') continue;
      const size_t length = strlen(*entry);
      acg_put(frame, ACG_TAG_ENV, *entry, length < ACG_MAX_VARIABLE ? length : ACG_MAX_VARIABLE);
      break;  // the first one counts, as in getenv
    }
  }
}

static void put_arguments(struct acg_frame *frame, int argc, char *const argv[]) {
  size_t room = ACG_MAX_ARG_BYTES;
  uint64_t whole = 0;
  bool cut = false;
  for (int i = 0; i < argc; i++) {
    const size_t length = strlen(argv[i]), part = length < room ? length : room;
    whole += length + 1;
    if (cut || i >= (int)ACG_MAX_ARGS) continue;
    acg_put(frame, ACG_TAG_ARG, argv[i], part);
    room -= part;
    cut = part < length;
  }
  acg_put_u64(frame, ACG_TAG_ARG_BYTES, whole);
}

// As the shells read their options: -i anywhere before the first operand, or a terminal and nothing to run.
static bool is_interactive(int argc, char *const argv[], bool tty) {
  bool something = false;
  int i = 1;
  for (; i < argc && (argv[i][0] == '-' || argv[i][0] == '+') && argv[i][1] != '\0'; i++) {
    if (argv[i][1] == '-') {
      if (argv[i][2] == '\0') break;
      continue;
    }
    if (argv[i][0] == '-' && strchr(argv[i], 'i')) return true;
    if (strchr(argv[i], 'c')) something = true;
  }
  return tty && !something && i >= argc;
}

static void put_question(struct acg_frame *frame, const struct call *call, int argc, char *const argv[],
                         char *const envp[]) {
  struct termios ignored;
  char directory[PATH_MAX];
  const bool tty = tcgetattr(STDIN_FILENO, &ignored) == 0;
  // Gone when it has been deleted.
  const char *cwd = getcwd(directory, sizeof directory);
  acg_begin(frame, ACG_OPEN);
  acg_put(frame, ACG_TAG_SHELL, call->place.name, strlen(call->place.name));
  put_arguments(frame, argc, argv);
  acg_put(frame, ACG_TAG_CWD, cwd ? cwd : "", cwd ? strlen(cwd) : 0);
  put_environment(frame, envp);
  acg_put_u32(frame, ACG_TAG_FLAGS,
              (tty ? ACG_FLAG_TTY : 0) | (is_interactive(argc, argv, tty) ? ACG_FLAG_INTERACTIVE : 0));
}

// Waits for the socket (or, without one, just so long). A signal that ends the call comes back as its number.
static int wait_a_while(struct call *call, long long ms) {
  struct pollfd fds[] = {{.fd = call->signals.fd, .events = POLLIN}, {.fd = call->daemon.socket, .events = POLLIN}};
  poll(fds, 2, ms > INT_MAX ? INT_MAX : (int)ms);
  struct signalfd_siginfo info;
  if (fds[0].revents)
    while (signals_next(&call->signals, &info))
      if (signals_before_start(&call->signals, &info)) return (int)info.ssi_signo;
  return 0;
}

// From a sent question to its answer. QUEUED says that the daemon is there and the answer may take its time.
static enum answer wait_for_answer(struct call *call, long long *deadline, struct acg_reply *reply, int *cancelled_by) {
  bool queued = false;
  for (;;) {
    switch (daemon_receive(&call->daemon, reply)) {
      case RECEIVED:
        if (reply->type == ACG_OPENED || reply->type == ACG_ERROR) return ANSWERED;
        if (reply->type != ACG_QUEUED) return NO_DAEMON;
        queued = true;
        continue;
      case HUNG_UP:
        // However long it let us wait, it was there: should it be restarted, the next one has its time to come.
        if (queued) *deadline = now_ms() + call->place.wait_ms;
        return NO_DAEMON;
      case INCOMPLETE:
        break;
    }
    const long long left = queued ? INT_MAX : *deadline - now_ms();
    if (left <= 0) return NO_DAEMON;
    if ((*cancelled_by = wait_a_while(call, left))) return CANCELLED;
  }
}

// Kept for another attempt.
static struct acg_frame question;

enum connected call_ask(struct call *call, int argc, char *const argv[], char *const envp[]) {
  const enum connected connected = daemon_connect(&call->daemon, call->place.directory);
  put_question(&question, call, argc, argv, envp);
  if (connected == CONNECTED && !daemon_send(&call->daemon, &question, call->place.wait_ms)) return NOT_YET;
  return connected;
}

enum answer call_await(struct call *call, enum connected asked, struct acg_reply *reply, int *cancelled_by) {
  long long deadline = now_ms() + call->place.wait_ms;
  while (asked != NEVER) {
    if (asked == CONNECTED) {
      const enum answer answer = wait_for_answer(call, &deadline, reply, cancelled_by);
      if (answer != NO_DAEMON) return answer;
    }
    // A daemon that is being restarted: it may come back in time.
    daemon_hang_up(&call->daemon);
    const long long left = deadline - now_ms();
    if (left <= 0) break;
    if ((*cancelled_by = wait_a_while(call, left < RETRY_MS ? left : RETRY_MS))) return CANCELLED;
    asked = daemon_connect(&call->daemon, call->place.directory);
    if (asked == CONNECTED && !daemon_send(&call->daemon, &question, call->place.wait_ms)) asked = NOT_YET;
  }
  daemon_hang_up(&call->daemon);
  return NO_DAEMON;
}
