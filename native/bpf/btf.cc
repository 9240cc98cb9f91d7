// SPDX-License-Identifier: Apache-2.0
#include <bpf/btf.h>

#include <cerrno>
#include <string>

#include "descriptors.h"
#include "failure.h"

namespace {
// Parsed once: tens of thousands of types, and they do not change while the machine runs.
const btf* kernel_types(Napi::Env env) {
  static const btf* types = nullptr;
  if (!types) types = btf__load_vmlinux_btf();
  if (!types) fail(env, {"read the kernel's BTF", errno ? errno : ENOENT, "", take_messages()});
  return types;
}

// kernelType(kind: 'struct' | 'func' | 'typedef' | 'enum', name): for a structure its member names, otherwise []; undefined: none
Napi::Value kernel_type(const Napi::CallbackInfo& info) {
  const btf* types = kernel_types(info.Env());
  std::string kind = info[0].As<Napi::String>(), name = info[1].As<Napi::String>();
  __u32 wanted = kind == "struct" ? BTF_KIND_STRUCT : kind == "func" ? BTF_KIND_FUNC : kind == "typedef" ? BTF_KIND_TYPEDEF : BTF_KIND_ENUM;
  __s32 id = btf__find_by_name_kind(types, name.c_str(), wanted);
  if (id < 0) return info.Env().Undefined();
  Napi::Array members = Napi::Array::New(info.Env());
  const btf_type* type = btf__type_by_id(types, id);
  for (int i = 0; wanted == BTF_KIND_STRUCT && i < btf_vlen(type); i++)
    members.Set(i, btf__name_by_offset(types, btf_members(type)[i].name_off));
  return members;
}
}  // namespace

void export_btf(Napi::Env env, Napi::Object exports) { exports.Set("kernelType", Napi::Function::New<kernel_type>(env)); }
