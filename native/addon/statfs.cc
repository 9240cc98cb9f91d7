// The magic number of a file system. SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <napi.h>
#include <sys/vfs.h>

#include <string>

#include "errors.h"
#include "parts.h"

namespace acg {
namespace {

// (path) -> f_type
Napi::Value statfs_type(const Napi::CallbackInfo &info) {
  struct statfs found = {};
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  if (statfs(path.c_str(), &found) < 0) return fail(info.Env(), "statfs", errno);
  return Napi::Number::New(info.Env(), static_cast<double>(static_cast<uint32_t>(found.f_type)));
}

}  // namespace

void add_statfs(Napi::Env env, Napi::Object exports) {
  exports.Set("statfsType", Napi::Function::New(env, statfs_type, "statfsType"));
}

}  // namespace acg
