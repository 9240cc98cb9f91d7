// Extended attributes, by path or by descriptor: what must survive the daemon is kept on the cgroup directory itself.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <napi.h>
#include <sys/xattr.h>

#include <string>
#include <vector>

#include "errors.h"
#include "parts.h"

namespace acg {
namespace {

// Where the attribute is: a path or a descriptor, one face for both.
class Place {
 public:
  explicit Place(const Napi::Value &value) {
    if (value.IsNumber())
      fd_ = value.As<Napi::Number>().Int32Value();
    else
      path_ = value.As<Napi::String>().Utf8Value();
  }
  ssize_t get(const char *name, void *into, size_t size) const {
    return fd_ >= 0 ? fgetxattr(fd_, name, into, size) : getxattr(path_.c_str(), name, into, size);
  }
  int set(const char *name, const void *value, size_t size) const {
    return fd_ >= 0 ? fsetxattr(fd_, name, value, size, 0) : setxattr(path_.c_str(), name, value, size, 0);
  }
  ssize_t list(char *into, size_t size) const {
    return fd_ >= 0 ? flistxattr(fd_, into, size) : listxattr(path_.c_str(), into, size);
  }
  int remove(const char *name) const {
    return fd_ >= 0 ? fremovexattr(fd_, name) : removexattr(path_.c_str(), name);
  }

 private:
  int fd_ = -1;
  std::string path_;
};

// Asks with a growing buffer until the answer fits: it may grow between two questions (ERANGE).
template <typename Ask>
ssize_t answer(std::vector<char> &buffer, Ask ask) {
  for (size_t size = 256;; size *= 2) {
    buffer.resize(size);
    const ssize_t length = ask(buffer.data(), size);
    if (length >= 0 || errno != ERANGE) return length;
  }
}

// (pathOrFd, name) -> Buffer, or null when there is no such attribute
Napi::Value get_xattr(const Napi::CallbackInfo &info) {
  const Place place(info[0]);
  const std::string name = info[1].As<Napi::String>().Utf8Value();
  std::vector<char> buffer;
  const ssize_t length = answer(buffer, [&](char *into, size_t size) { return place.get(name.c_str(), into, size); });
  if (length < 0) return errno == ENODATA ? info.Env().Null() : fail(info.Env(), "getxattr", errno);
  return Napi::Buffer<char>::Copy(info.Env(), buffer.data(), static_cast<size_t>(length));
}

// (pathOrFd, name, bytes)
Napi::Value set_xattr(const Napi::CallbackInfo &info) {
  const std::string name = info[1].As<Napi::String>().Utf8Value();
  auto bytes = info[2].As<Napi::Uint8Array>();
  if (Place(info[0]).set(name.c_str(), bytes.Data(), bytes.ByteLength()) < 0) return fail(info.Env(), "setxattr", errno);
  return info.Env().Undefined();
}

// (pathOrFd) -> names
Napi::Value list_xattr(const Napi::CallbackInfo &info) {
  const Place place(info[0]);
  std::vector<char> buffer;
  const ssize_t length = answer(buffer, [&](char *into, size_t size) { return place.list(into, size); });
  if (length < 0) return fail(info.Env(), "listxattr", errno);
  auto names = Napi::Array::New(info.Env());
  for (const char *at = buffer.data(); at < buffer.data() + length; at += std::string(at).size() + 1)
    names.Set(names.Length(), Napi::String::New(info.Env(), at));
  return names;
}

// (pathOrFd, name) -> whether there was one
Napi::Value remove_xattr(const Napi::CallbackInfo &info) {
  const std::string name = info[1].As<Napi::String>().Utf8Value();
  if (Place(info[0]).remove(name.c_str()) == 0) return Napi::Boolean::New(info.Env(), true);
  if (errno == ENODATA) return Napi::Boolean::New(info.Env(), false);
  return fail(info.Env(), "removexattr", errno);
}

}  // namespace

void add_xattr(Napi::Env env, Napi::Object exports) {
  exports.Set("getXattr", Napi::Function::New(env, get_xattr, "getXattr"));
  exports.Set("setXattr", Napi::Function::New(env, set_xattr, "setXattr"));
  exports.Set("listXattr", Napi::Function::New(env, list_xattr, "listXattr"));
  exports.Set("removeXattr", Napi::Function::New(env, remove_xattr, "removeXattr"));
}

}  // namespace acg
