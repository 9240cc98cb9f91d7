// Unix sockets: who is at the other end, and passing a descriptor to it. SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <napi.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "errors.h"
#include "parts.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

namespace acg {
namespace {

// (fd) -> [pid, uid, gid] of the process that connected (or listened), as the kernel noted it then
Napi::Value peer(const Napi::CallbackInfo &info) {
  ucred credentials = {};
  socklen_t size = sizeof credentials;
  if (getsockopt(info[0].As<Napi::Number>().Int32Value(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
    return fail(info.Env(), "getsockopt", errno);
  auto result = Napi::Array::New(info.Env(), 3);
  result.Set(0u, Napi::Number::New(info.Env(), credentials.pid));
  result.Set(1u, Napi::Number::New(info.Env(), credentials.uid));
  result.Set(2u, Napi::Number::New(info.Env(), credentials.gid));
  return result;
}

// (fd) -> pidfd of the peer (Linux 6.5)
Napi::Value peer_pidfd(const Napi::CallbackInfo &info) {
  int pidfd = -1;
  socklen_t size = sizeof pidfd;
  if (getsockopt(info[0].As<Napi::Number>().Int32Value(), SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) < 0)
    return fail(info.Env(), "getsockopt", errno);
  return Napi::Number::New(info.Env(), pidfd);
}

// (socket, bytes, fd) -> bytes sent; the descriptor travels with the first of them
Napi::Value send_with_fd(const Napi::CallbackInfo &info) {
  auto bytes = info[1].As<Napi::Uint8Array>();
  const int passed = info[2].As<Napi::Number>().Int32Value();
  iovec part = {bytes.Data(), bytes.ByteLength()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof passed)] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof passed);
  memcpy(CMSG_DATA(header), &passed, sizeof passed);
  ssize_t sent;
  do sent = sendmsg(info[0].As<Napi::Number>().Int32Value(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  if (sent < 0) return fail(info.Env(), "sendmsg", errno);
  return Napi::Number::New(info.Env(), static_cast<double>(sent));
}

}  // namespace

void add_socket(Napi::Env env, Napi::Object exports) {
  exports.Set("peer", Napi::Function::New(env, peer, "peer"));
  exports.Set("peerPidfd", Napi::Function::New(env, peer_pidfd, "peerPidfd"));
  exports.Set("sendWithFd", Napi::Function::New(env, send_with_fd, "sendWithFd"));
}

}  // namespace acg
