// agentcgroup-shell, the shim: stands where an agent expects a shell, has the real one born in a cgroup of its own, and is
// otherwise not there. Semantics: docs of `agentcgroup run`; protocol: protocol.h.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call.h"
#include "child.h"
#include "say.h"

enum { EXIT_USAGE = 64, EXIT_REFUSED = 126, EXIT_MISSING = 127 };

static struct call call;  // zero until main: buffers of this size belong in no executable

// The shell's place in this process: no call, no cgroup of its own.
static int run_plainly(char *const argv[], char *const envp[]) {
  place_exec_real(&call.place, argv, envp);
  say_error(call.place.name, strerror(errno));
  return errno == ENOENT ? EXIT_MISSING : EXIT_REFUSED;
}

static int run_uncontained(const char *what, const char *why, char *const argv[], char *const envp[]) {
  daemon_hang_up(&call.daemon);
  if (!call.place.fail_closed) {
    signals_give_back(&call.signals);
    return run_plainly(argv, envp);
  }
  say_error(what, why);
  return EXIT_REFUSED;
}

static int end_by(int signal) {
  if (call.place.same_signal) signals_die(signal);
  return 128 + signal;
}

static pid_t start_shell(const struct acg_reply *reply, struct child_request *request) {
  call.cgroup = call.daemon.passed;
  call.id_length = reply->call_length;
  memcpy(call.id, reply->call, reply->call_length);
  request->cgroup = call.cgroup;
  request->set_oom_score_adj = reply->has_oom_score_adj;
  request->oom_score_adj = reply->oom_score_adj;
  request->sched_ext = reply->policy == ACG_POLICY_SCHED_EXT;
  return child_start(request);
}

// The command runs: let go of everything that is the command's.
static void step_aside(void) {
  say_keep();
  const int keep[] = {call.daemon.socket, call.signals.fd, call.cgroup};
  close_all_but(keep, sizeof keep / sizeof *keep);
}

static int run_contained(const struct acg_reply *reply, char *const argv[], char *const envp[]) {
  struct child_request request = {.place = &call.place, .signals = &call.signals, .argv = argv, .envp = envp};
  call.shell = start_shell(reply, &request);
  if (call.shell < 0) {
    if (strcmp(request.failed, call.place.name) != 0)
      return run_uncontained("cannot start the command in its cgroup", strerror(request.error), argv, envp);
    say_error(call.place.name, strerror(request.error));
    return request.error == ENOENT ? EXIT_MISSING : EXIT_REFUSED;
  }
  step_aside();
  struct rusage usage = {0};
  const int status = call_supervise(&call, &usage);
  call_finish(&call, status, &usage);
  return WIFEXITED(status) ? WEXITSTATUS(status) : end_by(WTERMSIG(status));
}

static int run_as_answered(enum connected asked, char *const argv[], char *const envp[]) {
  struct acg_reply reply;
  int signal = 0;
  switch (call_await(&call, asked, &reply, &signal)) {
    case CANCELLED:
      daemon_hang_up(&call.daemon);
      return end_by(signal);
    case NO_DAEMON:
      return run_uncontained("no daemon answers and calls are configured to fail without one", NULL, argv, envp);
    case ANSWERED:
      break;
  }
  if (reply.type == ACG_ERROR) {
    if (call.place.fail_closed) say(reply.text, reply.text_length);
    return run_uncontained("the daemon refused the call", NULL, argv, envp);
  }
  if (reply.verdict == ACG_REFUSED) {
    say(reply.text, reply.text_length);
    return EXIT_REFUSED;
  }
  if (reply.verdict == ACG_PLAIN) {
    signals_give_back(&call.signals);
    return run_plainly(argv, envp);
  }
  if (call.daemon.passed < 0) return run_uncontained("the daemon sent no cgroup", NULL, argv, envp);
  return run_contained(&reply, argv, envp);
}

int main(int argc, char *argv[], char *envp[]) {
  call.daemon.socket = call.daemon.passed = call.cgroup = -1;
  place_find(&call.place);
  char *script[] = {"bash", "-c", argv[1], NULL};
  if (call.place.prefix) {
    if (argc != 2) {
      say_error("agentcgroup-prefix takes one argument, a script", NULL);
      return EXIT_USAGE;
    }
    argv = script;
    argc = 3;
  }
  // A shell inside a call stays inside it; outside of sessions there is nothing to do.
  if (!place_in_agent_leaf()) return run_plainly(argv, envp);
  const enum connected asked = call_ask(&call, argc, argv, envp);
  place_configure(&call.place);
  if (!signals_take(&call.signals)) return run_plainly(argv, envp);
  return run_as_answered(asked, argv, envp);
}
