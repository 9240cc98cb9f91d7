// One thread with one epoll for everything libuv cannot wait for: the end of a process (pidfd) and priority events
// of kernfs files (cgroup.events, memory.events, PSI triggers). It wakes the event loop; all state lives there.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <napi.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <memory>

#include "errors.h"
#include "parts.h"

namespace acg {
namespace {

constexpr uint64_t kStop = 0;  // ids of watches start at 1

class Watcher {
 public:
  static Watcher *of(Napi::Env env) { return env.GetInstanceData<Watcher>(); }

  Watcher(Napi::Env env, Napi::Function listener)
      : wake_(Napi::ThreadSafeFunction::New(env, listener, "agentcgroup.watch", 0, 1)) {
    wake_.Unref(env);
  }

  // 0, or the errno of what failed.
  int start() {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) return errno;
    stop_ = eventfd(0, EFD_CLOEXEC);
    if (stop_ < 0) return errno;
    if (int error = control(EPOLL_CTL_ADD, stop_, EPOLLIN, kStop)) return error;
    const int error = pthread_create(&thread_, nullptr, [](void *self) -> void * {
      static_cast<Watcher *>(self)->loop();
      return nullptr;
    }, this);
    running_ = error == 0;
    return error;
  }

  // Called by Node when the environment (main thread or worker) is torn down.
  ~Watcher() {
    if (running_) {
      const uint64_t one = 1;
      while (write(stop_, &one, sizeof one) < 0 && errno == EINTR) {
      }
      pthread_join(thread_, nullptr);
    }
    if (stop_ >= 0) close(stop_);
    if (epoll_ >= 0) close(epoll_);
  }

  int control(int operation, int fd, uint32_t events, uint64_t id) {
    epoll_event event = {};
    event.events = events;
    event.data.u64 = id;
    return epoll_ctl(epoll_, operation, fd, &event) < 0 ? errno : 0;
  }

  void hold(Napi::Env env, bool hold) { hold ? wake_.Ref(env) : wake_.Unref(env); }

 private:
  void loop() {
    // No signal is for this thread: the main thread has libuv's handlers.
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    for (;;) {
      epoll_event events[64];
      const int count = epoll_wait(epoll_, events, 64, -1);
      if (count < 0 && errno != EINTR) return;
      for (int i = 0; i < count; i++) {
        if (events[i].data.u64 == kStop) return;
        // Every watch is one-shot: at most one call per watch is under way, so the queue needs no bound of its own.
        auto *id = new double(static_cast<double>(events[i].data.u64));
        const auto status = wake_.NonBlockingCall(id, [](Napi::Env env, Napi::Function listener, double *id) {
          std::unique_ptr<double> owned(id);
          if (env != nullptr) listener.Call({Napi::Number::New(env, *owned)});
        });
        if (status != napi_ok) {
          delete id;
          return;  // the environment is closing
        }
      }
    }
  }

  Napi::ThreadSafeFunction wake_;
  int epoll_ = -1, stop_ = -1;
  pthread_t thread_ = {};
  bool running_ = false;
};

// (listener(id)): once per environment, before any watch
Napi::Value watch_start(const Napi::CallbackInfo &info) {
  if (Watcher::of(info.Env()) != nullptr) return misuse(info.Env(), "already started");
  auto watcher = std::make_unique<Watcher>(info.Env(), info[0].As<Napi::Function>());
  if (int error = watcher->start()) return fail(info.Env(), "epoll_create1", error);
  info.Env().SetInstanceData(watcher.release());
  return info.Env().Undefined();
}

// (fd, id, priority, again): arm a one-shot watch, for EPOLLPRI or for EPOLLIN; `again` re-arms one that has fired
Napi::Value watch_arm(const Napi::CallbackInfo &info) {
  const bool priority = info[2].As<Napi::Boolean>().Value(), again = info[3].As<Napi::Boolean>().Value();
  const uint32_t events = (priority ? EPOLLPRI : EPOLLIN) | EPOLLONESHOT;
  const int error = Watcher::of(info.Env())->control(again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
                                                     info[0].As<Napi::Number>().Int32Value(), events,
                                                     static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value()));
  return error ? fail(info.Env(), "epoll_ctl", error) : info.Env().Undefined();
}

// (fd): forget it and close it
Napi::Value watch_drop(const Napi::CallbackInfo &info) {
  const int fd = info[0].As<Napi::Number>().Int32Value();
  const int error = Watcher::of(info.Env())->control(EPOLL_CTL_DEL, fd, 0, 0);
  close(fd);
  return error ? fail(info.Env(), "epoll_ctl", error) : info.Env().Undefined();
}

// (hold): whether watches keep the event loop alive
Napi::Value watch_hold(const Napi::CallbackInfo &info) {
  Watcher::of(info.Env())->hold(info.Env(), info[0].As<Napi::Boolean>().Value());
  return info.Env().Undefined();
}

}  // namespace

void add_watch(Napi::Env env, Napi::Object exports) {
  exports.Set("watchStart", Napi::Function::New(env, watch_start, "watchStart"));
  exports.Set("watchArm", Napi::Function::New(env, watch_arm, "watchArm"));
  exports.Set("watchDrop", Napi::Function::New(env, watch_drop, "watchDrop"));
  exports.Set("watchHold", Napi::Function::New(env, watch_hold, "watchHold"));
}

}  // namespace acg
