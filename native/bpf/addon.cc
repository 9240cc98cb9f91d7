// SPDX-License-Identifier: Apache-2.0
// The BPF part of the native layer: libbpf for src/control/kernel. Thin on purpose; what is decided is decided in TypeScript.
#include <bpf/libbpf.h>
#include <napi.h>

#include "descriptors.h"
#include "failure.h"
#include "object.h"
#include "ring.h"

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  capture_messages();
  exports.Set("libbpf", libbpf_version_string());
  exports.Set("BpfObject", BpfObject::Class(env));
  exports.Set("Ring", Ring::Class(env));
  export_descriptors(env, exports);
  export_maps(env, exports);
  export_btf(env, exports);
  return exports;
}

NODE_API_MODULE(agentcgroup_bpf, init)
