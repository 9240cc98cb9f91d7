// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "ways.h"

static void set(const char *name, const char *format, const char *a, const char *b) {
  char value[2 * PATH_MAX];
  if (snprintf(value, sizeof value, format, a, b) >= (int)sizeof value) fail(EXIT_USAGE, name, "too long");
  if (setenv(name, value, 1) < 0) fail(EXIT_OS, "out of memory", NULL);
}

void way_env(const struct options *options) {
  const char *directory = options->env_dir;
  const char *path = getenv("PATH");
  char probe[PATH_MAX];
  snprintf(probe, sizeof probe, "%s/bin/bash", directory);
  // Also refused where the file system is mounted noexec.
  if (access(probe, X_OK) < 0) fail(EXIT_OS, probe, strerror(errno));
  set("AGENTCGROUP_SHIM_DIR", "%s%s", directory, "");
  set("SHELL", "%s/bin/bash%s", directory, "");
  set("PATH", "%s/bin:%s", directory, path && *path ? path : "/usr/local/bin:/usr/bin:/bin");
  set("BASH_ENV", "%s/bash-env%s", directory, "");
  set("CLAUDE_CODE_SHELL_PREFIX", "%s/bin/agentcgroup-prefix%s", directory, "");
}
