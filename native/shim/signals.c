// SPDX-License-Identifier: Apache-2.0
#include "signals.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void set_mask(int how, const signal_set *set, signal_set *old) {
  syscall(SYS_rt_sigprocmask, how, set, old, sizeof *set);
}

static bool is_ignored(int signal) {
  struct sigaction action;
  return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static void unblock(int signal) {
  const signal_set one = only_signal(signal);
  set_mask(SIG_UNBLOCK, &one, NULL);
}

bool signals_take(struct signals *signals) {
  const signal_set all = ~(signal_set)0;
  signals->held = 0;
  set_mask(SIG_SETMASK, &all, &signals->inherited);
  // With SIGCHLD ignored the kernel would reap the shell and keep its status.
  signals->child_ignored = is_ignored(SIGCHLD);
  if (signals->child_ignored) sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
  signals->fd = (int)syscall(SYS_signalfd4, -1, &all, sizeof all, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals->fd >= 0) return true;
  signals_give_back(signals);
  return false;
}

void signals_give_back(const struct signals *signals) {
  // Blocked by the caller, so they stay pending, as they would have at the shell.
  for (int signal = 1; signals->held && signal <= LAST_SIGNAL; signal++)
    if (signal_in(signals->held, signal)) kill(getpid(), signal);
  if (signals->child_ignored) sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
  set_mask(SIG_SETMASK, &signals->inherited, NULL);
}

bool signals_next(const struct signals *signals, struct signalfd_siginfo *info) {
  return read(signals->fd, info, sizeof *info) == (ssize_t)sizeof *info;
}

void signals_stop(int signal) {
  signal_set before;
  set_mask(SIG_BLOCK, NULL, &before);
  struct sigaction old;
  sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, &old);  // refused for SIGSTOP, which needs it not
  kill(getpid(), signal);
  unblock(signal);
  // Continued: here again.
  set_mask(SIG_SETMASK, &before, NULL);
  if (signal != SIGSTOP) sigaction(signal, &old, NULL);
}

void signals_die(int signal) {
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
  kill(getpid(), signal);
  unblock(signal);
}

bool signals_before_start(struct signals *signals, const struct signalfd_siginfo *info) {
  const int signal = (int)info->ssi_signo;
  if (signal_in(signals->inherited, signal)) {
    signals->held |= only_signal(signal);
    return false;
  }
  switch (signal) {
    case SIGCHLD:
    case SIGCONT:
    case SIGURG:
    case SIGWINCH:
      return false;
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
      if (!is_ignored(signal)) signals_stop(signal);
      return false;
    default:
      return !is_ignored(signal);
  }
}
