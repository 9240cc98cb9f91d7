// Small kernel files, each in its few system calls and nothing else: Node's own way costs twice as much. SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <napi.h>
#include <sys/file.h>
#include <unistd.h>

#include <string>

#include "errors.h"
#include "parts.h"

namespace acg {
namespace {

// (path) -> its text
Napi::Value read_file(const Napi::CallbackInfo &info) {
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(info.Env(), "open", errno);
  char part[16 * 1024];
  std::string text;
  ssize_t length;
  do {
    length = read(fd, part, sizeof part);
    if (length > 0) text.append(part, static_cast<size_t>(length));
  } while (length > 0 || (length < 0 && errno == EINTR));
  const int error = errno;
  close(fd);
  if (length < 0) return fail(info.Env(), "read", error);
  return Napi::String::New(info.Env(), text);
}

// (path, text, flags), in one write, as files of kernel settings demand; neither made nor cut when it is not there or longer
Napi::Value write_file(const Napi::CallbackInfo &info) {
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  const std::string text = info[1].As<Napi::String>().Utf8Value();
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC | info[2].As<Napi::Number>().Int32Value());
  if (fd < 0) return fail(info.Env(), "open", errno);
  ssize_t written;
  do {
    written = write(fd, text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  const int error = errno;
  close(fd);
  if (written < 0) return fail(info.Env(), "write", error);
  return info.Env().Undefined();
}

// (fd) -> whether this open file now holds the lock on its inode, which nobody else may hold until it is closed
Napi::Value lock(const Napi::CallbackInfo &info) {
  const int fd = info[0].As<Napi::Number>().Int32Value();
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return Napi::Boolean::New(info.Env(), true);
  if (errno == EWOULDBLOCK) return Napi::Boolean::New(info.Env(), false);
  return fail(info.Env(), "flock", errno);
}

}  // namespace

void add_file(Napi::Env env, Napi::Object exports) {
  exports.Set("readFile", Napi::Function::New(env, read_file, "readFile"));
  exports.Set("writeFile", Napi::Function::New(env, write_file, "writeFile"));
  exports.Set("lock", Napi::Function::New(env, lock, "lock"));
}

}  // namespace acg
