// Signals: the shim stands where the shell would, so what is sent to it is meant for the shell.
// SPDX-License-Identifier: Apache-2.0
#ifndef ACG_SIGNALS_H
#define ACG_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <sys/types.h>

struct signals {
  int fd;              // a signalfd for everything
  sigset_t inherited;  // the mask we were started with: the shell's
  bool child_ignored;  // we were started with SIGCHLD ignored; so is the shell
  sigset_t held;       // arrived before the shell ran, to be passed on to it
};

// Blocks everything from here on and lets the end of a child be seen. False: no signalfd.
bool signals_take(struct signals *signals);

// Undoes it, for a shell run in place or (in a vfork child) in a cgroup.
void signals_give_back(const struct signals *signals);

// The next signal that arrived, without waiting.
bool signals_next(const struct signals *signals, struct signalfd_siginfo *info);

// What a signal does to a shim that waits for its call to be admitted: a signal that would have ended the shell at its start
// ends the shim (true); one that is ignored is; one that is blocked is held; one that stops stops it here.
bool signals_before_start(struct signals *signals, const struct signalfd_siginfo *info);

// Stops this process by the signal that stopped the shell, so that our parent sees what it would have seen. Returns when
// somebody continues it.
void signals_stop(int signal);

// Ends this process by that signal, without a core dump.
void signals_die(int signal);

#endif
