// SPDX-License-Identifier: Apache-2.0
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clone3.h"

#define SCHED_EXT_POLICY 7

struct sched_attr_v0 {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

static int give_up(struct child_request *request, const char *what) {
  request->error = errno;
  request->failed = what;
  return 127;
}

static bool write_file(int folder, const char *path, const char *text) {
  const int fd = openat(folder, path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool ok = write(fd, text, strlen(text)) >= 0;
  const int error = errno;
  close(fd);
  errno = error;
  return ok;
}

// In the child, in the parent's memory, all signals blocked: nothing here allocates or locks.
static int become_shell(void *arg) {
  struct child_request *request = arg;
  if (request->set_oom_score_adj) {
    char text[16];
    snprintf(text, sizeof text, "%d", (int)request->oom_score_adj);
    // Lowering it needs a capability that a session need not have: then it stays what it was.
    write_file(AT_FDCWD, "/proc/self/oom_score_adj", text);
  }
  if (request->sched_ext) {
    // A kernel without sched_ext says EINVAL: the call runs under the normal class.
    struct sched_attr_v0 attr = {.size = sizeof attr, .policy = SCHED_EXT_POLICY, .nice = getpriority(PRIO_PROCESS, 0)};
    syscall(SYS_sched_setattr, 0, &attr, 0);
  }
  signals_give_back(request->signals);
  place_exec_real(request->place, request->argv, request->envp);
  return give_up(request, request->place->name);
}

// Where clone3 is not allowed (container runtimes' seccomp filters answer ENOSYS): the child moves itself before it execs,
// when it has no memory of its own yet to be charged to the wrong group.
static int enter_cgroup_first(void *arg) {
  struct child_request *request = arg;
  if (!write_file(request->cgroup, "cgroup.procs", "0")) return give_up(request, "cgroup.procs");
  return become_shell(arg);
}

pid_t child_start(struct child_request *request) {
  static _Alignas(16) char stack[64 * 1024];
  struct acg_clone_args args = {
      .flags = ACG_CLONE_VM | ACG_CLONE_VFORK | ACG_CLONE_INTO_CGROUP,
      .exit_signal = SIGCHLD,
      .stack = (uint64_t)(uintptr_t)stack,
      .stack_size = sizeof stack,
      .cgroup = (uint64_t)request->cgroup,
  };
  request->failed = NULL;
  long pid = acg_clone3(&args, become_shell, request);
  if (pid == -ENOSYS || pid == -EPERM) {
    pid = clone(enter_cgroup_first, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, request);
    if (pid < 0) pid = -errno;
  }
  if (pid < 0) {
    request->failed = "clone";
    request->error = (int)-pid;
    return -1;
  }
  if (request->failed) {
    waitpid((pid_t)pid, NULL, 0);
    return -1;
  }
  return (pid_t)pid;
}
