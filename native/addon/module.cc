// The addon's table of contents. SPDX-License-Identifier: Apache-2.0
#include <napi.h>

#include "parts.h"

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  acg::add_spawn(env, exports);
  acg::add_pipe(env, exports);
  acg::add_pidfd(env, exports);
  acg::add_watch(env, exports);
  acg::add_socket(env, exports);
  acg::add_xattr(env, exports);
  acg::add_statfs(env, exports);
  acg::add_file(env, exports);
  acg::add_sched(env, exports);
  return exports;
}

NODE_API_MODULE(agentcgroup, init)
