// Was a signal sent to the shim alone or to its whole process group? The kernel does not say, yet it decides whether the
// shell needs to be told: a trap must run once. So there is a canary: a child in the same process group that blocks every
// signal and does nothing. A signal pending there was sent to the group, and the shell has had it too.
//
// The kernel signals the members of a group newest first (attach_pid adds at the head), so the canary has its copy before
// the shim can see its own. The canary is made when the command has run for a while, off the way of short calls; until
// then every signal from outside the shell is passed on, and a shell that set a trap so early may see it twice.
// SPDX-License-Identifier: Apache-2.0
#ifndef ACG_CANARY_H
#define ACG_CANARY_H

#include <stdbool.h>
#include <sys/types.h>

#include "signals.h"

// How long a command has run when it gets its canary, milliseconds.
#define CANARY_AFTER_MS 20

struct canary {
  pid_t pid;        // -1: none
  signal_set owed;  // sent to the group while an earlier canary lived, and not yet seen by the shim
};

// pid stays -1 when there is no process to be had.
void canary_make(struct canary *canary);

// Whether the signal that the shim has just got was sent to the whole group.
bool canary_heard(struct canary *canary, int signal);

void canary_end(struct canary *canary);

#endif
