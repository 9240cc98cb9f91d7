// One line per file of the addon: each adds its functions to the exports. SPDX-License-Identifier: Apache-2.0
#pragma once
#include <napi.h>

namespace acg {

void add_spawn(Napi::Env env, Napi::Object exports);
void add_pipe(Napi::Env env, Napi::Object exports);
void add_pidfd(Napi::Env env, Napi::Object exports);
void add_watch(Napi::Env env, Napi::Object exports);
void add_socket(Napi::Env env, Napi::Object exports);
void add_xattr(Napi::Env env, Napi::Object exports);
void add_statfs(Napi::Env env, Napi::Object exports);
void add_file(Napi::Env env, Napi::Object exports);
void add_sched(Napi::Env env, Napi::Object exports);

}  // namespace acg
