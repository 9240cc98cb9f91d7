// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "descriptors.h"
#include "failure.h"

namespace {
using Bytes = Napi::Uint8Array;

int number(const Napi::Value& value) { return value.As<Napi::Number>().Int32Value(); }
double count(const Napi::Value& value) { return value.As<Napi::Number>().DoubleValue(); }
void* data(const Napi::Value& value) { return value.As<Bytes>().Data(); }

// possibleCpus(): how many values an element of a per-CPU map has
Napi::Value possible_cpus(const Napi::CallbackInfo& info) {
  int cpus = libbpf_num_possible_cpus();
  if (cpus < 0) fail(info.Env(), {"count possible CPUs", -cpus});
  return Napi::Number::New(info.Env(), cpus);
}

// pageSize(): bytes; what the kernel counts memory in
Napi::Value page_size(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), sysconf(_SC_PAGESIZE)); }

// lookup(fd, key, valueBytes): the value, undefined when there is none. valueBytes counts all CPUs, each rounded up to 8.
Napi::Value lookup(const Napi::CallbackInfo& info) {
  Bytes value = Bytes::New(info.Env(), static_cast<size_t>(count(info[2])));
  if (bpf_map_lookup_elem(number(info[0]), data(info[1]), value.Data()) == 0) return value;
  if (errno == ENOENT) return info.Env().Undefined();
  fail(info.Env(), {"map lookup", errno});
}

// update(fd, key, value, flags)
void update(const Napi::CallbackInfo& info) {
  if (bpf_map_update_elem(number(info[0]), data(info[1]), data(info[2]), static_cast<__u64>(count(info[3]))) != 0)
    fail(info.Env(), {"map update", errno});
}

// remove(fd, key): was it there?
Napi::Value remove(const Napi::CallbackInfo& info) {
  if (bpf_map_delete_elem(number(info[0]), data(info[1])) == 0) return Napi::Boolean::New(info.Env(), true);
  if (errno == ENOENT) return Napi::Boolean::New(info.Env(), false);
  fail(info.Env(), {"map delete", errno});
}

// keys(fd, keyBytes): all keys, one after the other. Where others delete meanwhile the kernel may begin anew, so an element
// may come twice; `most` bounds the walk.
Napi::Value keys(const Napi::CallbackInfo& info) {
  int fd = number(info[0]);
  size_t size = static_cast<size_t>(count(info[1]));
  size_t most = static_cast<size_t>(count(info[2]));
  std::vector<uint8_t> all;
  std::vector<uint8_t> key(size);
  void* previous = nullptr;
  while (all.size() / size < most && bpf_map_get_next_key(fd, previous, key.data()) == 0) {
    all.insert(all.end(), key.begin(), key.end());
    previous = all.data() + all.size() - size;
  }
  Bytes out = Bytes::New(info.Env(), all.size());
  memcpy(out.Data(), all.data(), all.size());
  return out;
}

// batch(fd, keyBytes, valueBytes, most): { keys, values, count } of a hash map in a few system calls
Napi::Value batch(const Napi::CallbackInfo& info) {
  int fd = number(info[0]);
  size_t key_size = static_cast<size_t>(count(info[1]));
  size_t value_size = static_cast<size_t>(count(info[2]));
  size_t most = static_cast<size_t>(count(info[3]));
  std::vector<uint8_t> keys(key_size * most), values(value_size * most);
  __u64 position[2] = {};
  bool first = true;
  size_t got = 0;
  while (got < most) {
    __u32 n = most - got;
    int error = bpf_map_lookup_batch(fd, first ? nullptr : position, position, keys.data() + got * key_size,
                                     values.data() + got * value_size, &n, nullptr);
    int reason = errno;
    // ENOSPC: a bucket does not fit in what is left; what did fit was written
    if (error != 0 && reason != ENOENT && reason != ENOSPC) fail(info.Env(), {"map batch lookup", reason});
    got += n;
    first = false;
    if (error != 0) break;
  }
  Bytes out_keys = Bytes::New(info.Env(), got * key_size), out_values = Bytes::New(info.Env(), got * value_size);
  memcpy(out_keys.Data(), keys.data(), got * key_size);
  memcpy(out_values.Data(), values.data(), got * value_size);
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("keys", out_keys);
  out.Set("values", out_values);
  out.Set("count", static_cast<double>(got));
  return out;
}
}  // namespace

void export_maps(Napi::Env env, Napi::Object exports) {
  exports.Set("possibleCpus", Napi::Function::New<possible_cpus>(env));
  exports.Set("pageSize", Napi::Function::New<page_size>(env));
  exports.Set("lookup", Napi::Function::New<lookup>(env));
  exports.Set("update", Napi::Function::New<update>(env));
  exports.Set("remove", Napi::Function::New<remove>(env));
  exports.Set("keys", Napi::Function::New<keys>(env));
  exports.Set("batch", Napi::Function::New<batch>(env));
}
