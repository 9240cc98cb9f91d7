// SPDX-License-Identifier: Apache-2.0
// The one command of this guest, from its start to the report of its end.
#ifndef ACG_COMMAND_H
#define ACG_COMMAND_H

#include "job.h"

// Returns when the exit frame is sent: the command and all it started are gone.
void serve(struct job *job, struct incoming *in);

#endif
