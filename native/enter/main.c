// agentcgroup-enter: started by `agentcgroup run` inside the agent leaf, it puts the shim where the agent will look for a
// shell, for this session alone, and becomes the agent. No shell takes part.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fail.h"
#include "options.h"
#include "ways.h"

// The session ends with the one who started it, however that one ends.
static void die_with_parent(int parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) fail(EXIT_OS, "prctl", strerror(errno));
  if (getppid() != parent) fail(EXIT_OS, "the starting process has ended", NULL);
}

// Lowering it needs CAP_SYS_RESOURCE, which a container need not have: the session runs without it and the report says so.
static void protect_from_oom(const struct options *options) {
  const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  const char *value = options->oom_score_adj;
  if ((fd < 0 || write(fd, value, strlen(value)) < 0) && options->report_fd >= 0)
    dprintf(options->report_fd, "oom_score_adj=unchanged reason=%s\n", strerror(errno));
  if (fd >= 0) close(fd);
}

static void report(int fd, const char *way, const struct failure *failure) {
  if (fd < 0) return;
  if (failure)
    dprintf(fd, "way=%s reason=%s %s: %s\n", way, failure->call, failure->path, strerror(failure->error));
  else
    dprintf(fd, "way=%s\n", way);
  close(fd);
}

static void put_shim_in_place(const struct options *options) {
  struct failure failure;
  if (options->way != WAY_ENV) {
    if (way_mount(options, &failure)) {
      unsetenv("AGENTCGROUP_SHIM_DIR");  // an outer session's
      return report(options->report_fd, "mount", NULL);
    }
    if (options->way == WAY_MOUNT) {
      report(options->report_fd, "none", &failure);
      char what[320];
      snprintf(what, sizeof what, "%s %s", failure.call, failure.path);
      fail(EXIT_OS, what, strerror(failure.error));
    }
  }
  way_env(options);
  report(options->report_fd, "env", options->way == WAY_ENV ? NULL : &failure);
}

int main(int argc, char *argv[]) {
  struct options options;
  options_parse(&options, argc, argv);
  if (options.pdeathsig) die_with_parent(options.parent);
  if (options.set_oom_score_adj) protect_from_oom(&options);
  // A guard of an outer session's shell would keep this session's own from being seen.
  unsetenv("AGENTCGROUP_SHELL_GUARD");
  put_shim_in_place(&options);
  execvp(options.command[0], options.command);
  fail(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT, options.command[0], strerror(errno));
}
