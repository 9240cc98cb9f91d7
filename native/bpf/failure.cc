// SPDX-License-Identifier: Apache-2.0
#include "failure.h"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <mutex>

// libbpf.a's name for stderr (scripts/build-bpf.js renames it). Its default print function uses it; ours replaces that one.
extern "C" {
__attribute__((visibility("hidden"))) FILE* agentcgroup_stderr;
}

namespace {
std::mutex lock;
std::string messages;
constexpr size_t kMostText = 64 * 1024;

int keep(enum libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  char line[1024];
  int length = vsnprintf(line, sizeof line, format, arguments);
  std::lock_guard<std::mutex> held(lock);
  if (length > 0 && messages.size() < kMostText) messages += line;
  return length;
}
}  // namespace

void capture_messages() {
  agentcgroup_stderr = stderr;
  libbpf_set_print(keep);
}

std::string take_messages() {
  std::lock_guard<std::mutex> held(lock);
  std::string taken;
  taken.swap(messages);
  return taken;
}

void fail(Napi::Env env, const Failure& failure) {
  const char* name = strerrorname_np(failure.error);
  std::string code = name ? name : "E" + std::to_string(failure.error);
  Napi::Error error = Napi::Error::New(env, failure.doing + ": " + code + " (" + strerror(failure.error) + ")");
  error.Set("code", Napi::String::New(env, code));
  error.Set("syscall", Napi::String::New(env, failure.doing));
  error.Set("log", Napi::String::New(env, failure.log));
  error.Set("messages", Napi::String::New(env, failure.messages));
  throw error;
}
