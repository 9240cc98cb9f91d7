// SPDX-License-Identifier: Apache-2.0
#include "fail.h"

#include <stdio.h>
#include <stdlib.h>

void fail(int status, const char *what, const char *why) {
  fprintf(stderr, "agentcgroup-enter: %s%s%s\n", what, why ? ": " : "", why ? why : "");
  exit(status);
}
