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

// How long a command has run when it gets its canary, milliseconds.
#define CANARY_AFTER_MS 20

// The canary's pid, or -1.
pid_t canary_make(void);

// Whether this signal is pending at the canary. After a yes it is used up: replace it.
bool canary_heard(pid_t canary, int signal);

void canary_end(pid_t canary);

#endif
