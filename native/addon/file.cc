// A small kernel file as text, in four system calls and nothing else. SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <napi.h>
#include <unistd.h>

#include <string>

#include "errors.h"
#include "parts.h"

namespace acg {
namespace {

// (path) -> up to 16 KiB of its text
Napi::Value read_file(const Napi::CallbackInfo &info) {
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(info.Env(), "open", errno);
  char text[16 * 1024];
  size_t filled = 0;
  ssize_t length;
  do {
    length = read(fd, text + filled, sizeof text - filled);
    if (length > 0) filled += static_cast<size_t>(length);
  } while (length > 0 || (length < 0 && errno == EINTR));
  const int error = errno;
  close(fd);
  if (length < 0) return fail(info.Env(), "read", error);
  return Napi::String::New(info.Env(), text, filled);
}

}  // namespace

void add_file(Napi::Env env, Napi::Object exports) {
  exports.Set("readFile", Napi::Function::New(env, read_file, "readFile"));
}

}  // namespace acg
