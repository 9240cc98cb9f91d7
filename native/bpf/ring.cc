// SPDX-License-Identifier: Apache-2.0
#include "ring.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "failure.h"

namespace {
// One turn of the loop takes at most this much, so that a storm of events does not starve everything else.
constexpr size_t kBatchBytes = 256 * 1024;
}  // namespace

Napi::Function Ring::Class(Napi::Env env) {
  return DefineClass(env, "Ring",
                     {
                         InstanceMethod<&Ring::Drain>("drain"),
                         InstanceMethod<&Ring::Unhold>("unref"),
                         InstanceMethod<&Ring::Close>("close"),
                     });
}

// new Ring(fd, receive: (batch: Uint8Array) => void). A batch holds whole records: u32 length, u32 zero, then the record,
// padded to 8.
Ring::Ring(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Ring>(info) {
  Napi::Env env = info.Env();
  ring_ = ring_buffer__new(info[0].As<Napi::Number>(), Keep, this, nullptr);
  if (!ring_) fail(env, {"open the ring buffer", errno, "", take_messages()});
  stop_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop_fd_ < 0) {
    int error = errno;
    ring_buffer__free(ring_);
    ring_ = nullptr;
    fail(env, {"eventfd", error});
  }
  receive_ = Napi::Persistent(info[1].As<Napi::Function>());
  // not collected while a wakeup may be on its way: the function has the last word
  Ref();
  wakeup_ = Wakeup::New(env, "agentcgroup ring", 1, 1, this, [](Napi::Env, void*, Ring* self) { self->Unref(); },
                        static_cast<void*>(nullptr));
  // runs before Node takes the wakeup function away: by the time of the destructor that would be too late for the watcher
  napi_add_env_cleanup_hook(env, OnExit, this);
  watcher_ = std::thread([this] { Watch(); });
}

Ring::~Ring() { Stop(Env()); }

void Ring::OnExit(void* self) { static_cast<Ring*>(self)->Stop(nullptr); }

void Ring::Watch() {
  epoll_event want = {};
  want.events = EPOLLIN;
  int both = epoll_create1(EPOLL_CLOEXEC);
  // libbpf's epoll descriptor is readable while any of its rings has something
  for (int fd : {ring_buffer__epoll_fd(ring_), stop_fd_}) {
    want.data.fd = fd;
    if (both >= 0 && epoll_ctl(both, EPOLL_CTL_ADD, fd, &want) != 0) {
      close(both);
      both = -1;
    }
  }
  bool closing = false;
  for (;;) {
    epoll_event got[2];
    int n = both < 0 ? -1 : epoll_wait(both, got, 2, -1);
    if (n < 0 && errno == EINTR) continue;
    std::unique_lock<std::mutex> held(lock_);
    if (stopping_ || n < 0) break;
    draining_ = true;
    held.unlock();
    closing = wakeup_.NonBlockingCall() == napi_closing;
    if (closing) break;
    held.lock();
    drained_.wait(held, [this] { return !draining_ || stopping_; });
    if (stopping_) break;
  }
  if (both >= 0) close(both);
  // when the environment is closing it has taken the function away from us already
  if (!closing) wakeup_.Release();
}

int Ring::Keep(void* context, void* data, size_t size) {
  auto* self = static_cast<Ring*>(context);
  size_t at = self->batch_.size();
  self->batch_.resize(at + 8 + (size + 7) / 8 * 8);
  uint32_t length = size;
  memcpy(self->batch_.data() + at, &length, sizeof length);
  memcpy(self->batch_.data() + at + 8, data, size);
  return self->batch_.size() >= kBatchBytes ? -EAGAIN : 0;
}

// Fills batch_; true when there is more.
bool Ring::Take() {
  batch_.clear();
  return ring_buffer__consume(ring_) == -EAGAIN;
}

void Ring::Deliver(Napi::Env env) {
  if (batch_.empty()) return;
  Napi::Uint8Array bytes = Napi::Uint8Array::New(env, batch_.size());
  memcpy(bytes.Data(), batch_.data(), batch_.size());
  receive_.Call({bytes});
}

void Ring::OnLoop(Napi::Env env, Napi::Function, Ring* self, void*) {
  if (env == nullptr || !self->ring_) return;
  Napi::HandleScope scope(env);
  self->Take();
  try {
    self->Deliver(env);
  } catch (const Napi::Error& error) {
    // an exception of the receiver is the program's, not the watcher's
    napi_fatal_exception(env, error.Value());
  }
  {
    std::lock_guard<std::mutex> held(self->lock_);
    self->draining_ = false;
  }
  self->drained_.notify_one();
}

// drain(): everything there is now, delivered before it returns; the number of bytes
Napi::Value Ring::Drain(const Napi::CallbackInfo& info) {
  double bytes = 0;
  for (bool more = true; more && ring_;) {  // the receiver may close it
    more = Take();
    bytes += batch_.size();
    Deliver(info.Env());
  }
  return Napi::Number::New(info.Env(), bytes);
}

void Ring::Unhold(const Napi::CallbackInfo& info) {
  if (ring_) wakeup_.Unref(info.Env());
}

void Ring::Close(const Napi::CallbackInfo& info) { Stop(info.Env()); }

// env: null when the environment itself calls, which has forgotten the hook already
void Ring::Stop(napi_env env) {
  if (!ring_) return;
  if (env) napi_remove_env_cleanup_hook(env, OnExit, this);
  {
    std::lock_guard<std::mutex> held(lock_);
    stopping_ = true;
  }
  drained_.notify_one();
  uint64_t one = 1;
  ssize_t written = write(stop_fd_, &one, sizeof one);
  (void)written;  // an eventfd with room takes it
  watcher_.join();
  ring_buffer__free(ring_);
  ring_ = nullptr;
  close(stop_fd_);
}
