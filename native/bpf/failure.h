// SPDX-License-Identifier: Apache-2.0
// How a failed call becomes a JavaScript error: `code` is errno's name, `syscall` what we were doing, `log` the verifier's words,
// `messages` libbpf's.
#pragma once
#include <napi.h>

#include <string>

struct Failure {
  std::string doing;
  int error;  // errno, positive
  std::string log{};
  std::string messages{};
};

// Throws a JavaScript Error made of the failure.
[[noreturn]] void fail(Napi::Env env, const Failure& failure);

// libbpf's warnings since the last call, oldest first. libbpf knows one print function per process; calls come from one thread.
std::string take_messages();

// To be called once, before any other libbpf function.
void capture_messages();
