// Starting the real shell inside the call's cgroup. SPDX-License-Identifier: Apache-2.0
#ifndef ACG_CHILD_H
#define ACG_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "place.h"
#include "signals.h"

struct child_request {
  const struct place *place;
  const struct signals *signals;
  char *const *argv, *const *envp;
  int cgroup;
  bool set_oom_score_adj;
  int32_t oom_score_adj;
  bool sched_ext;
  // Set by the child, which shares our memory until it execs:
  const char *failed;  // what could not be done
  int error;           // errno of it
};

// The pid, or -1 with failed and error set: nothing runs then.
pid_t child_start(struct child_request *request);

#endif
