// pidfds: a process by a handle that no recycled pid can take over. SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <napi.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errors.h"
#include "parts.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace acg {
namespace {

double microseconds(const timeval &time) { return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec); }

// (pid) -> pidfd
Napi::Value pidfd_open(const Napi::CallbackInfo &info) {
  const long fd = syscall(SYS_pidfd_open, info[0].As<Napi::Number>().Int32Value(), 0);
  if (fd < 0) return fail(info.Env(), "pidfd_open", errno);
  return Napi::Number::New(info.Env(), static_cast<double>(fd));
}

// (pidfd, signal)
Napi::Value pidfd_send_signal(const Napi::CallbackInfo &info) {
  const int fd = info[0].As<Napi::Number>().Int32Value();
  const int signal = info[1].As<Napi::Number>().Int32Value();
  if (syscall(SYS_pidfd_send_signal, fd, signal, nullptr, 0) < 0) return fail(info.Env(), "pidfd_send_signal", errno);
  return info.Env().Undefined();
}

// (pidfd) -> [code | -1, signal | 0, userUsec, systemUsec, maxRssKib] of our ended child, which is reaped by this;
// null while it runs; undefined when it is not our child: the kernel tells its end, but not its status.
Napi::Value reap(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  siginfo_t status = {};
  rusage usage = {};
  const int fd = info[0].As<Napi::Number>().Int32Value();
  if (syscall(SYS_waitid, P_PIDFD, fd, &status, WEXITED | WNOHANG, &usage) < 0) {
    if (errno == ECHILD) return env.Undefined();
    return fail(env, "waitid", errno);
  }
  if (status.si_pid == 0) return env.Null();
  const bool exited = status.si_code == CLD_EXITED;
  auto result = Napi::Array::New(env, 5);
  result.Set(0u, Napi::Number::New(env, exited ? status.si_status : -1));
  result.Set(1u, Napi::Number::New(env, exited ? 0 : status.si_status));
  result.Set(2u, Napi::Number::New(env, microseconds(usage.ru_utime)));
  result.Set(3u, Napi::Number::New(env, microseconds(usage.ru_stime)));
  result.Set(4u, Napi::Number::New(env, static_cast<double>(usage.ru_maxrss)));
  return result;
}

// (fd) -> a duplicate with CLOEXEC
Napi::Value duplicate(const Napi::CallbackInfo &info) {
  const int fd = fcntl(info[0].As<Napi::Number>().Int32Value(), F_DUPFD_CLOEXEC, 3);
  if (fd < 0) return fail(info.Env(), "fcntl", errno);
  return Napi::Number::New(info.Env(), fd);
}

}  // namespace

void add_pidfd(Napi::Env env, Napi::Object exports) {
  exports.Set("pidfdOpen", Napi::Function::New(env, pidfd_open, "pidfdOpen"));
  exports.Set("pidfdSendSignal", Napi::Function::New(env, pidfd_send_signal, "pidfdSendSignal"));
  exports.Set("reap", Napi::Function::New(env, reap, "reap"));
  exports.Set("duplicate", Napi::Function::New(env, duplicate, "duplicate"));
}

}  // namespace acg
