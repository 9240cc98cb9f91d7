// spawn(): a child born inside a cgroup (clone3, CLONE_INTO_CGROUP), with a pidfd from birth.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <napi.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "common/clone3.h"
#include "errors.h"
#include "parts.h"

namespace acg {
namespace {

constexpr size_t kStack = 64 * 1024;

struct Request {
  std::string file;
  std::vector<std::string> argv_text, env_text;
  std::vector<char *> argv, envp;
  std::string cwd;
  std::vector<int> fds;  // fds[i] becomes descriptor i of the child; -1: closed
  int64_t uid = -1, gid = -1;
  bool new_session = false;
  // Written by the child (it shares our memory until it execs) when something fails.
  int failed_errno = 0;
  const char *failed_call = nullptr;
};

int give_up(Request *request, const char *call, int error) {
  request->failed_call = call;
  request->failed_errno = error;
  return 127;
}

// dup2 in an order that never overwrites a source still needed: first lift every source out of the target range.
bool place_descriptors(Request *request) {
  const int count = static_cast<int>(request->fds.size());
  int *fds = request->fds.data();
  for (int i = 0; i < count; i++)
    if (fds[i] >= 0 && fds[i] < count && fds[i] != i) {
      fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, count);
      if (fds[i] < 0) return false;
    }
  for (int i = 0; i < count; i++) {
    if (fds[i] == i) {
      if (fcntl(i, F_SETFD, 0) < 0) return false;
    } else if (fds[i] < 0) {
      close(i);
    } else if (dup2(fds[i], i) < 0) {
      return false;
    }
  }
  // Nothing else of ours may leak. CLOEXEC and not closed: the parent's memory holds their numbers only, not our table.
  syscall(SYS_close_range, static_cast<unsigned>(count), ~0U, CLOSE_RANGE_CLOEXEC);
  return true;
}

// Runs in the child, in the parent's memory, with every signal blocked: raw system calls and nothing that locks or allocates.
int child(void *arg) {
  auto *request = static_cast<Request *>(arg);
  // Node ignores SIGPIPE and handles others; a handler must not run here, an ignored signal must not be inherited.
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &standard, nullptr);
  if (request->new_session && setsid() < 0) return give_up(request, "setsid", errno);
  if (!place_descriptors(request)) return give_up(request, "dup", errno);
  if (!request->cwd.empty() && chdir(request->cwd.c_str()) < 0) return give_up(request, "chdir", errno);
  // The raw calls: glibc's own would change the identity of every thread of the parent.
  if (request->gid >= 0) {
    if (syscall(SYS_setgroups, 0, nullptr) < 0) return give_up(request, "setgroups", errno);
    if (syscall(SYS_setgid, static_cast<gid_t>(request->gid)) < 0) return give_up(request, "setgid", errno);
  }
  if (request->uid >= 0 && syscall(SYS_setuid, static_cast<uid_t>(request->uid)) < 0)
    return give_up(request, "setuid", errno);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(request->file.c_str(), request->argv.data(), request->envp.data());
  return give_up(request, "execve", errno);
}

std::vector<std::string> strings(const Napi::Value &value) {
  std::vector<std::string> result;
  auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) result.push_back(array.Get(i).As<Napi::String>().Utf8Value());
  return result;
}

std::vector<char *> pointers(std::vector<std::string> &texts) {
  std::vector<char *> result;
  for (auto &text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// (file, argv[], env[], fds[], cwd | '', cgroupFd | -1, uid | -1, gid | -1, newSession) -> [pid, pidfd]
Napi::Value spawn(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  if (info.Length() != 9) return misuse(env, "spawn takes nine arguments");
  Request request;
  request.file = info[0].As<Napi::String>().Utf8Value();
  request.argv_text = strings(info[1]);
  request.env_text = strings(info[2]);
  auto fds = info[3].As<Napi::Array>();
  for (uint32_t i = 0; i < fds.Length(); i++) request.fds.push_back(fds.Get(i).As<Napi::Number>().Int32Value());
  request.cwd = info[4].As<Napi::String>().Utf8Value();
  const int cgroup = info[5].As<Napi::Number>().Int32Value();
  request.uid = info[6].As<Napi::Number>().Int64Value();
  request.gid = info[7].As<Napi::Number>().Int64Value();
  request.new_session = info[8].As<Napi::Boolean>().Value();
  request.argv = pointers(request.argv_text);
  request.envp = pointers(request.env_text);

  void *stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return fail(env, "mmap", errno);
  int pidfd = -1;
  acg_clone_args args = {};
  args.flags = ACG_CLONE_VM | ACG_CLONE_VFORK | ACG_CLONE_PIDFD;
  args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  args.stack = reinterpret_cast<uint64_t>(stack);
  args.stack_size = kStack;
  if (cgroup >= 0) {
    args.flags |= ACG_CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(cgroup);
  }
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const long pid = acg_clone3(&args, child, &request);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  munmap(stack, kStack);

  if (pid < 0) return fail(env, "clone3", static_cast<int>(-pid));
  if (request.failed_call != nullptr) {
    waitpid(static_cast<pid_t>(pid), nullptr, 0);
    close(pidfd);
    return fail(env, request.failed_call, request.failed_errno);
  }
  auto result = Napi::Array::New(env, 2);
  result.Set(0u, Napi::Number::New(env, static_cast<double>(pid)));
  result.Set(1u, Napi::Number::New(env, pidfd));
  return result;
}

}  // namespace

void add_spawn(Napi::Env env, Napi::Object exports) {
  exports.Set("spawn", Napi::Function::New(env, spawn, "spawn"));
}

}  // namespace acg
