// SPDX-License-Identifier: Apache-2.0
// What the host asks the guest to run.
#ifndef ACG_JOB_H
#define ACG_JOB_H

#include "port.h"

struct job {
    char *cwd; // empty: the root
    unsigned short rows, columns; // rows > 0: the command gets a terminal
    char **argv, **env;
};

// Waits for it. Sets the clock to the host's.
struct job receive_job(struct incoming *in);

#endif
