// The command line of agentcgroup-enter. SPDX-License-Identifier: Apache-2.0
#ifndef ACG_OPTIONS_H
#define ACG_OPTIONS_H

#include <stdbool.h>

enum way { WAY_AUTO, WAY_MOUNT, WAY_ENV };

struct options {
  const char *shim;     // the shim's program
  const char *socket;   // the daemon's shim socket
  const char *config;   // lines for the shim's config, separated by semicolons
  const char *env_dir;  // prepared directory for the way by environment
  char *shells;         // names, separated by commas
  enum way way;
  int report_fd;         // where to say which way was taken; -1: nowhere
  bool set_oom_score_adj, pdeathsig;
  const char *oom_score_adj;
  int parent;            // with pdeathsig: who must be our parent (--pdeathsig=PID), or was when we started
  char **command;        // what to become
};

// Parses argv; exits with status 64 and a word on stderr when it is wrong.
void options_parse(struct options *options, int argc, char *argv[]);

#endif
