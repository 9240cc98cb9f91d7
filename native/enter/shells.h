// The shells of this machine, as files. SPDX-License-Identifier: Apache-2.0
#ifndef ACG_SHELLS_H
#define ACG_SHELLS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define SHIM_DIRECTORY "/run/agentcgroup/shim"
#define MOST_SHELLS 32
#define MOST_NAMES 8

// A shell's file, once however many names lead to it.
struct shell {
  char path[PATH_MAX];             // with all links resolved: what is to be covered
  int real;                        // the real shell, O_PATH: reachable when its path is covered
  char names[MOST_NAMES][NAME_MAX + 1];  // the names it goes by, its own first
  size_t name_count;
};

struct shells {
  struct shell found[MOST_SHELLS];
  size_t count;
};

// Looks up every name (separated by commas; the string is taken apart) in /bin, /usr/bin and /usr/local/bin. Inside another
// session the real shells are the ones which that session's shim has kept. False: errno, and *at is what it was about.
bool shells_find(struct shells *shells, char *names, const char **at);

#endif
