// How a failed system call becomes a JavaScript error. SPDX-License-Identifier: Apache-2.0
#pragma once
#include <napi.h>

namespace acg {

// Throws Error("SYSCALL") with the properties `syscall` and `errno` (positive); the door in src/control/native makes
// an AcgError of it. Returns undefined so that callers can write `return fail(env, "clone3", errno)`.
Napi::Value fail(Napi::Env env, const char *syscall, int error);

// Throws a TypeError: the door checks its arguments, so this is a mistake of ours and not of the user's.
Napi::Value misuse(Napi::Env env, const char *what);

}  // namespace acg
