// SPDX-License-Identifier: Apache-2.0
// One BPF object file on its way into the kernel: opened, adjusted, loaded; its programs attached. What it hands out are plain
// file descriptors of the caller's own (programs, maps, links): they outlive the object.
#pragma once
#include <bpf/libbpf.h>
#include <napi.h>

#include <memory>
#include <string>

class BpfObject : public Napi::ObjectWrap<BpfObject> {
 public:
  static Napi::Function Class(Napi::Env env);
  explicit BpfObject(const Napi::CallbackInfo& info);
  ~BpfObject() override;

 private:
  Napi::Value Programs(const Napi::CallbackInfo& info);
  Napi::Value Maps(const Napi::CallbackInfo& info);
  Napi::Value Variables(const Napi::CallbackInfo& info);
  Napi::Value Structs(const Napi::CallbackInfo& info);
  void SetAutoload(const Napi::CallbackInfo& info);
  void SetAutocreate(const Napi::CallbackInfo& info);
  void SetMaxEntries(const Napi::CallbackInfo& info);
  void SetInitial(const Napi::CallbackInfo& info);
  void ReuseMap(const Napi::CallbackInfo& info);
  void Load(const Napi::CallbackInfo& info);
  Napi::Value Attach(const Napi::CallbackInfo& info);
  Napi::Value AttachStructOps(const Napi::CallbackInfo& info);
  void FillStructOps(const Napi::CallbackInfo& info);
  Napi::Value ProgramFd(const Napi::CallbackInfo& info);
  Napi::Value MapFd(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  bpf_object* Open(Napi::Env env) const;
  bpf_program* Program(const Napi::CallbackInfo& info) const;
  bpf_map* Map(const Napi::CallbackInfo& info) const;
  Napi::Value OwnFd(Napi::Env env, const char* doing, int fd) const;
  Napi::Value LinkFd(Napi::Env env, const std::string& doing, bpf_link* link) const;

  bpf_object* object_ = nullptr;
  std::unique_ptr<char[]> log_;
};
