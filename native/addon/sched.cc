// The scheduling class of a process that somebody else started. SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <napi.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "errors.h"
#include "parts.h"

namespace acg {
namespace {

constexpr uint32_t kSchedExt = 7;

struct SchedAttr {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

// (tid): the policy SCHED_EXT, inherited by what it forks. EINVAL on a kernel without sched_ext.
Napi::Value sched_ext(const Napi::CallbackInfo &info) {
  const int tid = info[0].As<Napi::Number>().Int32Value();
  SchedAttr attr = {};
  attr.size = sizeof attr;
  attr.policy = kSchedExt;
  attr.nice = getpriority(PRIO_PROCESS, static_cast<id_t>(tid));  // as it is: SCHED_FLAG_KEEP_PARAMS keeps the policy too
  if (syscall(SYS_sched_setattr, tid, &attr, 0) < 0)
    return fail(info.Env(), "sched_setattr", errno);
  return info.Env().Undefined();
}

}  // namespace

void add_sched(Napi::Env env, Napi::Object exports) {
  exports.Set("schedExt", Napi::Function::New(env, sched_ext, "schedExt"));
}

}  // namespace acg
