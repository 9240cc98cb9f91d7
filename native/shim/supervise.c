// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call.h"
#include "canary.h"

#define RECONNECT_MS 250

// Signals that a terminal sends to the whole foreground group.
static bool is_terminal_signal(int signal) {
  return signal == SIGINT || signal == SIGQUIT || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU ||
         signal == SIGWINCH;
}

static void pass_on(const struct call *call, struct canary *canary, const struct signalfd_siginfo *info) {
  const int signal = (int)info->ssi_signo;
  const bool from_shell = info->ssi_code == SI_USER && (pid_t)info->ssi_pid == call->shell;  // as in `kill 0`
  if (signal == SIGCHLD || from_shell) return;
  // The terminal has told the shell itself. A hang-up (SIGHUP, SIGCONT) goes to the session leader alone: passed on.
  if (info->ssi_code == SI_KERNEL && is_terminal_signal(signal)) return;
  // A shell with job control may have left for a group of its own: then it has not had what its old group got.
  if (canary_heard(canary, signal) && getpgid(call->shell) == getpgrp()) return;
  kill(call->shell, signal);
}

// Whether the shell has ended. When it is stopped, so are we until somebody continues us.
static bool look_after(const struct call *call, int *status, struct rusage *usage) {
  while (wait4(call->shell, status, WNOHANG | WUNTRACED | WCONTINUED, usage) == call->shell) {
    if (WIFEXITED(*status) || WIFSIGNALED(*status)) return true;
    if (WIFSTOPPED(*status)) signals_stop(WSTOPSIG(*status));
  }
  return false;
}

int call_supervise(struct call *call, struct rusage *usage) {
  struct canary canary = {.pid = -1};
  int status = 0;
  long long reconnect_at = 0;
  long long canary_at = now_ms() + CANARY_AFTER_MS;
  for (;;) {
    const bool connected = call->daemon.socket >= 0;
    const long long until_canary = canary_at - now_ms();
    int timeout = connected ? -1 : RECONNECT_MS;
    if (canary.pid < 0 && (timeout < 0 || until_canary < timeout)) timeout = until_canary > 0 ? (int)until_canary : 0;
    struct pollfd fds[] = {{.fd = call->signals.fd, .events = POLLIN}, {.fd = call->daemon.socket, .events = POLLIN}};
    poll(fds, 2, timeout);

    struct signalfd_siginfo info;
    bool child = false;
    while (fds[0].revents && signals_next(&call->signals, &info)) {
      child |= info.ssi_signo == SIGCHLD;
      pass_on(call, &canary, &info);
    }
    if (child && look_after(call, &status, usage)) break;
    if (fds[1].revents) {
      struct acg_reply reply;
      const enum received received = daemon_receive(&call->daemon, &reply);
      if (received == RECEIVED && reply.type != ACG_RESUMED) daemon_hang_up(&call->daemon);
    }
    if (canary.pid < 0 && now_ms() >= canary_at) {
      call_announce(call);
      canary_make(&canary);
      canary_at = now_ms() + 50 * CANARY_AFTER_MS;  // the next attempt, should there be no process to have
    }
    if (!connected && now_ms() >= reconnect_at) {
      call_resume(call);
      reconnect_at = now_ms() + RECONNECT_MS;
    }
  }
  canary_end(&canary);
  return status;
}
