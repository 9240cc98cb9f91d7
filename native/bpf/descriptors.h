// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <napi.h>

// Programs, links, pins and the BPF file system.
void export_descriptors(Napi::Env env, Napi::Object exports);
// Map elements.
void export_maps(Napi::Env env, Napi::Object exports);
// The running kernel's BTF.
void export_btf(Napi::Env env, Napi::Object exports);
