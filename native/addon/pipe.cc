// A pipe for a child that `spawn` starts: Node makes pipes for its own children only. SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <napi.h>
#include <unistd.h>

#include "errors.h"
#include "parts.h"

namespace acg {
namespace {

// () -> [descriptor to read, descriptor to write], both close-on-exec
Napi::Value make_pipe(const Napi::CallbackInfo &info) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return fail(info.Env(), "pipe2", errno);
  auto result = Napi::Array::New(info.Env(), 2);
  result.Set(0u, Napi::Number::New(info.Env(), ends[0]));
  result.Set(1u, Napi::Number::New(info.Env(), ends[1]));
  return result;
}

}  // namespace

void add_pipe(Napi::Env env, Napi::Object exports) {
  exports.Set("pipe", Napi::Function::New(env, make_pipe, "pipe"));
}

}  // namespace acg
