// SPDX-License-Identifier: Apache-2.0
#include "descriptors.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <string>

#include "failure.h"

#ifndef BPF_FS_MAGIC
#define BPF_FS_MAGIC 0xcafe4a11
#endif

namespace {
// enum bpf_attach_type's BPF_STRUCT_OPS, which Debian 12's own kernel headers do not have yet.
constexpr auto kStructOps = static_cast<bpf_attach_type>(44);

int number(const Napi::Value& value) { return value.As<Napi::Number>().Int32Value(); }
std::string text(const Napi::Value& value) { return value.As<Napi::String>(); }

void close_fd(const Napi::CallbackInfo& info) {
  if (close(number(info[0])) != 0) fail(info.Env(), {"close", errno});
}

// pin(fd, path)
void pin(const Napi::CallbackInfo& info) {
  std::string path = text(info[1]);
  if (bpf_obj_pin(number(info[0]), path.c_str()) != 0) fail(info.Env(), {"pin " + path, errno});
}

// openPin(path): fd, or undefined when there is none
Napi::Value open_pin(const Napi::CallbackInfo& info) {
  std::string path = text(info[0]);
  int fd = bpf_obj_get(path.c_str());
  if (fd >= 0) return Napi::Number::New(info.Env(), fd);
  if (errno == ENOENT) return info.Env().Undefined();
  fail(info.Env(), {"open pin " + path, errno});
}

// isBpffs(path): is the directory in a BPF file system?
Napi::Value is_bpffs(const Napi::CallbackInfo& info) {
  struct statfs fs = {};
  bool ok = statfs(text(info[0]).c_str(), &fs) == 0 && static_cast<unsigned long>(fs.f_type) == BPF_FS_MAGIC;
  return Napi::Boolean::New(info.Env(), ok);
}

// mountBpffs(path): as systemd mounts it, for hosts where nobody has
void mount_bpffs(const Napi::CallbackInfo& info) {
  std::string path = text(info[0]);
  if (mount("bpf", path.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700") != 0)
    fail(info.Env(), {"mount a BPF file system on " + path, errno});
}

// programInfo(fd), mapInfo(fd): what a descriptor stands for, by the kernel's account
Napi::Value program_info(const Napi::CallbackInfo& info) {
  bpf_prog_info data = {};
  __u32 size = sizeof data;
  if (bpf_prog_get_info_by_fd(number(info[0]), &data, &size) != 0) fail(info.Env(), {"program info", errno});
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("id", static_cast<double>(data.id));
  out.Set("type", static_cast<double>(data.type));
  out.Set("name", std::string(data.name, strnlen(data.name, sizeof data.name)));
  out.Set("instructions", static_cast<double>(data.xlated_prog_len / 8));
  out.Set("runs", static_cast<double>(data.run_cnt));
  out.Set("runNs", static_cast<double>(data.run_time_ns));
  out.Set("misses", static_cast<double>(data.recursion_misses));
  return out;
}

Napi::Value map_info(const Napi::CallbackInfo& info) {
  bpf_map_info data = {};
  __u32 size = sizeof data;
  if (bpf_map_get_info_by_fd(number(info[0]), &data, &size) != 0) fail(info.Env(), {"map info", errno});
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("id", static_cast<double>(data.id));
  out.Set("type", static_cast<double>(data.type));
  out.Set("name", std::string(data.name, strnlen(data.name, sizeof data.name)));
  out.Set("keySize", static_cast<double>(data.key_size));
  out.Set("valueSize", static_cast<double>(data.value_size));
  out.Set("maxEntries", static_cast<double>(data.max_entries));
  return out;
}

// linkInfo(fd): { id, type, programId }; a struct_ops link has no program of its own
Napi::Value link_info(const Napi::CallbackInfo& info) {
  bpf_link_info data = {};
  __u32 size = sizeof data;
  if (bpf_link_get_info_by_fd(number(info[0]), &data, &size) != 0) fail(info.Env(), {"link info", errno});
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("id", static_cast<double>(data.id));
  out.Set("type", static_cast<double>(data.type));
  out.Set("programId", static_cast<double>(data.prog_id));
  return out;
}

// openProgram(id): fd
Napi::Value open_program(const Napi::CallbackInfo& info) {
  int fd = bpf_prog_get_fd_by_id(info[0].As<Napi::Number>().Uint32Value());
  if (fd < 0) fail(info.Env(), {"open program", errno});
  return Napi::Number::New(info.Env(), fd);
}

// linkStructOps(mapFd, cgroupFd?, flags?): link descriptor of a struct_ops map that has been filled in: attached before, or by
// BpfObject.fillStructOps. Some attach to the machine, some to a cgroup.
Napi::Value link_struct_ops(const Napi::CallbackInfo& info) {
  bpf_link_create_opts options = {};
  options.sz = sizeof options;
  if (info[2].IsNumber()) options.flags = info[2].As<Napi::Number>().Uint32Value();
  int fd = bpf_link_create(number(info[0]), info[1].IsNumber() ? number(info[1]) : 0, kStructOps, &options);
  if (fd < 0) fail(info.Env(), {"attach struct_ops", errno});
  return Napi::Number::New(info.Env(), fd);
}

// enableRunStats(): a descriptor; while it is open the kernel counts and times every program's runs
Napi::Value enable_run_stats(const Napi::CallbackInfo& info) {
  int fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
  if (fd < 0) fail(info.Env(), {"enable run statistics", errno});
  return Napi::Number::New(info.Env(), fd);
}

// iterateCgroups(programFd, cgroupFd): runs an iter/cgroup program over the cgroup and everything below it, parents first;
// what the program printed
Napi::Value iterate_cgroups(const Napi::CallbackInfo& info) {
  bpf_iter_link_info target = {};
  target.cgroup.order = BPF_CGROUP_ITER_DESCENDANTS_PRE;
  target.cgroup.cgroup_fd = number(info[1]);
  bpf_link_create_opts options = {};
  options.sz = sizeof options;
  options.iter_info = &target;
  options.iter_info_len = sizeof target;
  int link = bpf_link_create(number(info[0]), 0, BPF_TRACE_ITER, &options);
  if (link < 0) fail(info.Env(), {"attach cgroup iterator", errno});
  int iterator = bpf_iter_create(link);
  int error = errno;
  close(link);
  if (iterator < 0) fail(info.Env(), {"create cgroup iterator", error});
  std::string out;
  char chunk[4096];
  ssize_t got;
  while ((got = read(iterator, chunk, sizeof chunk)) > 0 || (got < 0 && errno == EAGAIN))
    if (got > 0) out.append(chunk, got);
  error = errno;
  close(iterator);
  if (got < 0) fail(info.Env(), {"read cgroup iterator", error});
  return Napi::String::New(info.Env(), out);
}

// openDirectory(path): descriptor of a cgroup directory, for the two calls that want one
Napi::Value open_directory(const Napi::CallbackInfo& info) {
  std::string path = text(info[0]);
  int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail(info.Env(), {"open " + path, errno});
  return Napi::Number::New(info.Env(), fd);
}

// fileIdentity(path): { dev, ino } of an executable as the kernel's own structures have it. stat(2) may say otherwise
// (overlayfs, btrfs); /proc/self/maps prints the inode's own superblock, so map one page and look.
Napi::Value file_identity(const Napi::CallbackInfo& info) {
  std::string path = text(info[0]);
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(info.Env(), {"open " + path, errno});
  void* page = mmap(nullptr, 1, PROT_READ, MAP_PRIVATE, fd, 0);
  int error = errno;
  close(fd);
  if (page == MAP_FAILED) fail(info.Env(), {"map " + path, error});
  FILE* maps = fopen("/proc/self/maps", "re");
  error = errno;
  unsigned major = 0, minor = 0;
  uint64_t inode = 0;
  char line[512];
  while (maps && fgets(line, sizeof line, maps)) {
    uint64_t start;
    if (sscanf(line, "%" SCNx64 "-%*x %*s %*x %x:%x %" SCNu64, &start, &major, &minor, &inode) == 4 &&
        start == reinterpret_cast<uint64_t>(page))
      break;
    inode = 0;
  }
  if (maps) fclose(maps);
  munmap(page, 1);
  if (!maps || inode == 0) fail(info.Env(), {"find " + path + " in /proc/self/maps", maps ? ENOENT : error});
  Napi::Object out = Napi::Object::New(info.Env());
  // dev_t inside the kernel: 12 bits of major, 20 of minor
  out.Set("dev", static_cast<double>((static_cast<uint64_t>(major) << 20) | minor));
  out.Set("ino", static_cast<double>(inode));
  return out;
}
}  // namespace

void export_descriptors(Napi::Env env, Napi::Object exports) {
  exports.Set("close", Napi::Function::New<close_fd>(env));
  exports.Set("pin", Napi::Function::New<pin>(env));
  exports.Set("openPin", Napi::Function::New<open_pin>(env));
  exports.Set("isBpffs", Napi::Function::New<is_bpffs>(env));
  exports.Set("mountBpffs", Napi::Function::New<mount_bpffs>(env));
  exports.Set("programInfo", Napi::Function::New<program_info>(env));
  exports.Set("mapInfo", Napi::Function::New<map_info>(env));
  exports.Set("linkInfo", Napi::Function::New<link_info>(env));
  exports.Set("openProgram", Napi::Function::New<open_program>(env));
  exports.Set("linkStructOps", Napi::Function::New<link_struct_ops>(env));
  exports.Set("enableRunStats", Napi::Function::New<enable_run_stats>(env));
  exports.Set("iterateCgroups", Napi::Function::New<iterate_cgroups>(env));
  exports.Set("openDirectory", Napi::Function::New<open_directory>(env));
  exports.Set("fileIdentity", Napi::Function::New<file_identity>(env));
}
