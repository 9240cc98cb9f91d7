// Signals: the shim stands where the shell would, so what is sent to it is meant for the shell.
// SPDX-License-Identifier: Apache-2.0
#ifndef ACG_SIGNALS_H
#define ACG_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/signalfd.h>
#include <sys/types.h>

#define LAST_SIGNAL 64

// A set as the kernel has it, signal N at bit N-1. Not sigset_t: musl's functions leave out 32 to 34, which a caller may use.
typedef uint64_t signal_set;

static inline signal_set only_signal(int signal) { return (signal_set)1 << (signal - 1); }
static inline bool signal_in(signal_set set, int signal) { return (set & only_signal(signal)) != 0; }

struct signals {
  int fd;                // a signalfd for everything
  signal_set inherited;  // the mask we were started with: the shell's
  signal_set held;       // arrived before the shell ran, to be passed on to it
  bool child_ignored;    // we were started with SIGCHLD ignored; so is the shell
};

// Blocks everything from here on and lets the end of a child be seen. False: no signalfd.
bool signals_take(struct signals *signals);

// Undoes it, for a shell run in place or (in a vfork child) in a cgroup; what was held becomes pending.
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
