// The two ways to put the shim where an agent looks for a shell. SPDX-License-Identifier: Apache-2.0
#ifndef ACG_WAYS_H
#define ACG_WAYS_H

#include <stdbool.h>

#include "options.h"

// What went wrong, for --report-fd and error texts.
struct failure {
  const char *call;  // the system call
  char path[256];    // what it was about
  int error;
};

// In a mount namespace of the session's own the shim stands over every shell. True when it does; else nothing has changed
// that the session could notice.
bool way_mount(const struct options *options, struct failure *failure);

// Through SHELL, PATH, BASH_ENV and CLAUDE_CODE_SHELL_PREFIX, out of the prepared --env-dir.
void way_env(const struct options *options);

#endif
