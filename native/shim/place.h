// Where the shim stands: for which shell, in which session, configured how. SPDX-License-Identifier: Apache-2.0
#ifndef ACG_PLACE_H
#define ACG_PLACE_H

#include <limits.h>
#include <stdbool.h>

struct place {
  char name[NAME_MAX + 1];  // the shell it stands for: bash, sh, ...
  bool prefix;              // called as agentcgroup-prefix: its one argument is a script
  const char *directory;    // the shim directory
  // From `config` in that directory:
  bool fail_closed;      // without a daemon: refuse the call instead of running it uncontained
  bool same_signal;      // when the shell died of a signal, die of the same one instead of exiting with 128+N
  int wait_ms;           // how long a daemon may take to say anything
};

// Fills name, prefix and directory. Cheap: two system calls.
void place_find(struct place *place);

// Whether this process is in an agent leaf: the last component of its cgroup v2 path is `agent`.
bool place_in_agent_leaf(void);

// Reads `config`; what it does not say stays at the defaults.
void place_configure(struct place *place);

// Becomes the real shell. Tries real/NAME of the shim directory, then /usr/local/bin, /usr/bin and /bin, and never the shim
// itself. Returns only when there is none: errno says why. Safe in a vfork child.
void place_exec_real(const struct place *place, char *const argv[], char *const envp[]);

#endif
