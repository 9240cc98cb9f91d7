// One tool call, from the question to the daemon to its end. SPDX-License-Identifier: Apache-2.0
#ifndef ACG_CALL_H
#define ACG_CALL_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "daemon.h"
#include "place.h"
#include "signals.h"

struct call {
  struct place place;
  struct signals signals;
  struct daemon daemon;
  int cgroup;  // the directory of the call's cgroup
  char id[ACG_MAX_CALL];
  size_t id_length;
  pid_t shell;
  bool announced;  // STARTED has been sent
};

enum answer {
  ANSWERED,   // reply says what
  NO_DAEMON,  // nobody there, or nobody who makes sense
  CANCELLED,  // *cancelled_by ended the wait
};

// open.c: asks the daemon for a cgroup. One attempt, so that the daemon works while the shim gets ready.
enum connected call_ask(struct call *call, int argc, char *const argv[], char *const envp[]);

// Waits for the answer, which an admission may delay; asks again while nobody has heard the question. `asked` is what
// call_ask returned.
enum answer call_await(struct call *call, enum connected asked, struct acg_reply *reply, int *cancelled_by);

// supervise.c: stays with the running shell. Returns its wait status.
int call_supervise(struct call *call, struct rusage *usage);

// finish.c: reports the end, shows what the daemon has to say; without a daemon leaves a note on the cgroup.
void call_finish(struct call *call, int status, const struct rusage *usage);

// started.c: tells the daemon, once, that the command runs. Not at once but when it has run for a while or has ended: the
// daemon's awakening would compete with the start of the shell, in which nobody has an interest.
void call_announce(struct call *call);

// resume.c: speaks up again at a daemon that was started anew. False: not now.
bool call_resume(struct call *call);

// A monotonic clock, milliseconds.
long long now_ms(void);

#endif
