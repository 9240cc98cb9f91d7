// The shim's own few words, for stderr. SPDX-License-Identifier: Apache-2.0
#ifndef ACG_SAY_H
#define ACG_SAY_H

#include <stddef.h>

// Where words go from now on: the command's stderr, kept under a number above those that commands use, and the descriptor
// that AGENTCGROUP_FEEDBACK=json:N names, if it is open. Everything else that was inherited is closed, so that readers of the command's output see its end when the command closes it.
void say_keep(void);

// Text of a daemon; a newline is added where it lacks one, control characters other than tab and newline are left out.
void say(const char *text, size_t length);

// The same for what the daemon says of the call at its end: to the named descriptor, else to stderr.
void say_feedback(const char *text, size_t length);

// "agentcgroup: WHAT: WHY"; why may be NULL.
void say_error(const char *what, const char *why);

// Closes every descriptor but these (-1 entries are skipped) and the kept ones.
void close_all_but(const int *keep, size_t count);

#endif
