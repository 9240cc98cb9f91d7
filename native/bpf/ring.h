// SPDX-License-Identifier: Apache-2.0
// A BPF ring buffer on the event loop. A thread sleeps in epoll until the kernel says there is something, wakes the loop, and
// sleeps again once the loop has drained it: no timer, no spinning, and a busy loop is asked once.
#pragma once
#include <bpf/libbpf.h>
#include <napi.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

class Ring : public Napi::ObjectWrap<Ring> {
 public:
  static Napi::Function Class(Napi::Env env);
  explicit Ring(const Napi::CallbackInfo& info);
  ~Ring() override;

 private:
  Napi::Value Drain(const Napi::CallbackInfo& info);
  void Unhold(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  static int Keep(void* self, void* data, size_t size);
  static void OnLoop(Napi::Env env, Napi::Function, Ring* self, void*);
  using Wakeup = Napi::TypedThreadSafeFunction<Ring, void, OnLoop>;

  void Watch();
  void Stop(napi_env env);
  static void OnExit(void* self);
  bool Take();
  void Deliver(Napi::Env env);

  ring_buffer* ring_ = nullptr;
  Wakeup wakeup_;
  std::thread watcher_;
  int stop_fd_ = -1;
  std::mutex lock_;
  std::condition_variable drained_;
  bool draining_ = false;
  bool stopping_ = false;
  std::vector<uint8_t> batch_;
  Napi::FunctionReference receive_;
};
