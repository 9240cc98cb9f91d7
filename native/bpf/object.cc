// SPDX-License-Identifier: Apache-2.0
#include "object.h"

#include <bpf/btf.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "failure.h"

namespace {
// The verifier writes up to here; the kernel reports ENOSPC instead of its own error when there is more to say.
constexpr size_t kLogBytes = 8 << 20;

const char* typed(const char* name) { return name ? name : ""; }

// The verifier gives up with EAGAIN as soon as its thread has a signal pending. libbpf tries ten times in all, which is no use where
// signals come faster than a program is verified (a profiler sends one each millisecond), so they wait until this ends. What cannot
// be blocked (stopping, freezing) comes once in a while, and that is what libbpf's tries are for.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

int load(bpf_object* object) {
  SignalsBlocked blocked;
  return bpf_object__load(object);
}

Napi::Object member_layout(Napi::Env env, const btf* types, const btf_type* type, int index) {
  const btf_member* member = btf_members(type) + index;
  Napi::Object field = Napi::Object::New(env);
  field.Set("name", typed(btf__name_by_offset(types, member->name_off)));
  field.Set("offset", btf_member_bit_offset(type, index) / 8.0);
  field.Set("size", static_cast<double>(btf__resolve_size(types, member->type)));
  return field;
}
}  // namespace

Napi::Function BpfObject::Class(Napi::Env env) {
  return DefineClass(env, "BpfObject",
                     {
                         InstanceMethod<&BpfObject::Programs>("programs"),
                         InstanceMethod<&BpfObject::Maps>("maps"),
                         InstanceMethod<&BpfObject::Variables>("variables"),
                         InstanceMethod<&BpfObject::Structs>("structs"),
                         InstanceMethod<&BpfObject::SetAutoload>("setAutoload"),
                         InstanceMethod<&BpfObject::SetAutocreate>("setAutocreate"),
                         InstanceMethod<&BpfObject::SetMaxEntries>("setMaxEntries"),
                         InstanceMethod<&BpfObject::SetInitial>("setInitial"),
                         InstanceMethod<&BpfObject::ReuseMap>("reuseMap"),
                         InstanceMethod<&BpfObject::Load>("load"),
                         InstanceMethod<&BpfObject::Attach>("attach"),
                         InstanceMethod<&BpfObject::AttachStructOps>("attachStructOps"),
                         InstanceMethod<&BpfObject::FillStructOps>("fillStructOps"),
                         InstanceMethod<&BpfObject::ProgramFd>("programFd"),
                         InstanceMethod<&BpfObject::MapFd>("mapFd"),
                         InstanceMethod<&BpfObject::Close>("close"),
                     });
}

// new BpfObject(bytes: Uint8Array, name: string)
BpfObject::BpfObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<BpfObject>(info), log_(new char[kLogBytes]) {
  auto bytes = info[0].As<Napi::Uint8Array>();
  std::string name = info[1].As<Napi::String>();
  take_messages();
  bpf_object_open_opts options = {};
  options.sz = sizeof options;
  options.object_name = name.c_str();
  options.kernel_log_buf = log_.get();
  options.kernel_log_size = kLogBytes;
  object_ = bpf_object__open_mem(bytes.Data(), bytes.ByteLength(), &options);
  if (!object_) fail(info.Env(), {"open " + name, errno, "", take_messages()});
}

BpfObject::~BpfObject() { bpf_object__close(object_); }

void BpfObject::Close(const Napi::CallbackInfo&) {
  bpf_object__close(object_);
  object_ = nullptr;
}

bpf_object* BpfObject::Open(Napi::Env env) const {
  if (!object_) throw Napi::Error::New(env, "the BPF object is closed");
  return object_;
}

bpf_program* BpfObject::Program(const Napi::CallbackInfo& info) const {
  std::string name = info[0].As<Napi::String>();
  bpf_program* program = bpf_object__find_program_by_name(Open(info.Env()), name.c_str());
  if (!program) fail(info.Env(), {"no program " + name + " in the object", ENOENT});
  return program;
}

bpf_map* BpfObject::Map(const Napi::CallbackInfo& info) const {
  std::string name = info[0].As<Napi::String>();
  bpf_map* map = bpf_object__find_map_by_name(Open(info.Env()), name.c_str());
  if (!map) fail(info.Env(), {"no map " + name + " in the object", ENOENT});
  return map;
}

// programs(): { name, section, autoload }[]
Napi::Value BpfObject::Programs(const Napi::CallbackInfo& info) {
  Napi::Array list = Napi::Array::New(info.Env());
  bpf_program* program;
  bpf_object__for_each_program(program, Open(info.Env())) {
    Napi::Object entry = Napi::Object::New(info.Env());
    entry.Set("name", bpf_program__name(program));
    entry.Set("section", bpf_program__section_name(program));
    entry.Set("autoload", bpf_program__autoload(program));
    list.Set(list.Length(), entry);
  }
  return list;
}

// maps(): { name, type, keySize, valueSize, maxEntries }[]
Napi::Value BpfObject::Maps(const Napi::CallbackInfo& info) {
  Napi::Array list = Napi::Array::New(info.Env());
  bpf_map* map;
  bpf_object__for_each_map(map, Open(info.Env())) {
    Napi::Object entry = Napi::Object::New(info.Env());
    entry.Set("name", bpf_map__name(map));
    entry.Set("type", static_cast<double>(bpf_map__type(map)));
    entry.Set("keySize", static_cast<double>(bpf_map__key_size(map)));
    entry.Set("valueSize", static_cast<double>(bpf_map__value_size(map)));
    entry.Set("maxEntries", static_cast<double>(bpf_map__max_entries(map)));
    list.Set(list.Length(), entry);
  }
  return list;
}

// variables(): { section, name, offset, size }[], the global variables by data section (".rodata", ".data", ".bss")
Napi::Value BpfObject::Variables(const Napi::CallbackInfo& info) {
  Napi::Array list = Napi::Array::New(info.Env());
  const btf* types = bpf_object__btf(Open(info.Env()));
  for (__u32 id = 1; types && id < btf__type_cnt(types); id++) {
    const btf_type* section = btf__type_by_id(types, id);
    if (!btf_is_datasec(section)) continue;
    const btf_var_secinfo* place = btf_var_secinfos(section);
    for (int i = 0; i < btf_vlen(section); i++, place++) {
      const btf_type* variable = btf__type_by_id(types, place->type);
      if (!btf_is_var(variable)) continue;
      Napi::Object entry = Napi::Object::New(info.Env());
      entry.Set("section", typed(btf__name_by_offset(types, section->name_off)));
      entry.Set("name", typed(btf__name_by_offset(types, variable->name_off)));
      entry.Set("offset", static_cast<double>(place->offset));
      entry.Set("size", static_cast<double>(place->size));
      list.Set(list.Length(), entry);
    }
  }
  return list;
}

// structs(prefix): { [name]: { size, fields: { name, offset, size }[] } }, layouts of the object's own structures
Napi::Value BpfObject::Structs(const Napi::CallbackInfo& info) {
  std::string prefix = info[0].As<Napi::String>();
  Napi::Object all = Napi::Object::New(info.Env());
  const btf* types = bpf_object__btf(Open(info.Env()));
  for (__u32 id = 1; types && id < btf__type_cnt(types); id++) {
    const btf_type* type = btf__type_by_id(types, id);
    std::string name = typed(btf__name_by_offset(types, type->name_off));
    if (!btf_is_struct(type) || name.compare(0, prefix.size(), prefix) != 0) continue;
    Napi::Array fields = Napi::Array::New(info.Env());
    for (int i = 0; i < btf_vlen(type); i++) fields.Set(i, member_layout(info.Env(), types, type, i));
    Napi::Object layout = Napi::Object::New(info.Env());
    layout.Set("size", static_cast<double>(type->size));
    layout.Set("fields", fields);
    all.Set(name, layout);
  }
  return all;
}

// setAutoload(program, on): a program that is off is neither verified nor loaded
void BpfObject::SetAutoload(const Napi::CallbackInfo& info) {
  bpf_program__set_autoload(Program(info), info[1].As<Napi::Boolean>());
}

// setAutocreate(map, on): a struct_ops map that is off does not come into being
void BpfObject::SetAutocreate(const Napi::CallbackInfo& info) {
  bpf_map__set_autocreate(Map(info), info[1].As<Napi::Boolean>());
}

// setMaxEntries(map, n)
void BpfObject::SetMaxEntries(const Napi::CallbackInfo& info) {
  int error = bpf_map__set_max_entries(Map(info), info[1].As<Napi::Number>().Uint32Value());
  if (error) fail(info.Env(), {"set max_entries", -error, "", take_messages()});
}

// setInitial(map, offset, bytes): part of a data section before load, .rodata above all
void BpfObject::SetInitial(const Napi::CallbackInfo& info) {
  size_t size = 0;
  auto* data = static_cast<char*>(bpf_map__initial_value(Map(info), &size));
  size_t offset = info[1].As<Napi::Number>().Uint32Value();
  auto bytes = info[2].As<Napi::Uint8Array>();
  if (!data || offset + bytes.ByteLength() > size) fail(info.Env(), {"set initial value", ERANGE});
  memcpy(data + offset, bytes.Data(), bytes.ByteLength());
}

// reuseMap(map, fd): this object uses a map that exists already
void BpfObject::ReuseMap(const Napi::CallbackInfo& info) {
  bpf_map* map = Map(info);
  int error = bpf_map__reuse_fd(map, info[1].As<Napi::Number>());
  if (error) fail(info.Env(), {std::string("reuse map ") + bpf_map__name(map), -error, "", take_messages()});
}

void BpfObject::Load(const Napi::CallbackInfo& info) {
  bpf_object* object = Open(info.Env());
  if (!log_) fail(info.Env(), {"load a BPF object twice", EALREADY});
  log_[0] = '\0';
  take_messages();
  int error = load(object);
  std::string log(log_.get(), strnlen(log_.get(), kLogBytes));
  log_.reset();
  if (error) fail(info.Env(), {std::string("load ") + bpf_object__name(object), -error, log, take_messages()});
}

Napi::Value BpfObject::OwnFd(Napi::Env env, const char* doing, int fd) const {
  int own = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (own < 0) fail(env, {doing, fd < 0 ? -fd : errno});
  return Napi::Number::New(env, own);
}

Napi::Value BpfObject::ProgramFd(const Napi::CallbackInfo& info) {
  return OwnFd(info.Env(), "program descriptor", bpf_program__fd(Program(info)));
}

Napi::Value BpfObject::MapFd(const Napi::CallbackInfo& info) {
  return OwnFd(info.Env(), "map descriptor", bpf_map__fd(Map(info)));
}

// The link's descriptor is all there is to a link in the kernel: attached while it or a pin of it lives.
Napi::Value BpfObject::LinkFd(Napi::Env env, const std::string& doing, bpf_link* link) const {
  if (!link) fail(env, {doing, errno, "", take_messages()});
  int fd = fcntl(bpf_link__fd(link), F_DUPFD_CLOEXEC, 3);
  int error = errno;
  bpf_link__destroy(link);
  if (fd < 0) fail(env, {doing, error});
  return Napi::Number::New(env, fd);
}

// attach(program): link descriptor, where the program's section name says
Napi::Value BpfObject::Attach(const Napi::CallbackInfo& info) {
  bpf_program* program = Program(info);
  take_messages();
  return LinkFd(info.Env(), std::string("attach ") + bpf_program__name(program), bpf_program__attach(program));
}

// attachStructOps(map): link descriptor
Napi::Value BpfObject::AttachStructOps(const Napi::CallbackInfo& info) {
  bpf_map* map = Map(info);
  take_messages();
  return LinkFd(info.Env(), std::string("attach ") + bpf_map__name(map), bpf_map__attach_struct_ops(map));
}

// fillStructOps(map): gives the kernel the programs of a map that attaches to a cgroup. libbpf does so only on the way to
// attaching it to the machine, which the kernel refuses for such a map (EINVAL), after the part that is wanted here.
void BpfObject::FillStructOps(const Napi::CallbackInfo& info) {
  bpf_map* map = Map(info);
  take_messages();
  bpf_link* link = bpf_map__attach_struct_ops(map);
  int error = errno;
  bpf_link__destroy(link);
  if (!link && error != EINVAL)
    fail(info.Env(), {std::string("fill ") + bpf_map__name(map), error, "", take_messages()});
  take_messages();
}
