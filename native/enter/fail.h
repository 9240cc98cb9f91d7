// SPDX-License-Identifier: Apache-2.0
#ifndef ACG_FAIL_H
#define ACG_FAIL_H

#include <stdnoreturn.h>

enum { EXIT_USAGE = 64, EXIT_OS = 71, EXIT_CANNOT = 126, EXIT_NOT_FOUND = 127 };

// "agentcgroup-enter: WHAT: WHY" on stderr, and out. why may be NULL.
noreturn void fail(int status, const char *what, const char *why);

#endif
