// SPDX-License-Identifier: Apache-2.0
#include "errors.h"

namespace acg {

Napi::Value fail(Napi::Env env, const char *syscall, int error) {
  Napi::Error thrown = Napi::Error::New(env, syscall);
  thrown.Set("syscall", Napi::String::New(env, syscall));
  thrown.Set("errno", Napi::Number::New(env, error));
  thrown.ThrowAsJavaScriptException();
  return env.Undefined();
}

Napi::Value misuse(Napi::Env env, const char *what) {
  Napi::TypeError::New(env, what).ThrowAsJavaScriptException();
  return env.Undefined();
}

}  // namespace acg
