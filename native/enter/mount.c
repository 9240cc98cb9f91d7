// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shells.h"
#include "ways.h"

#define SHIM_COPY SHIM_DIRECTORY "/agentcgroup-shell"

static bool failed(struct failure *failure, const char *call, const char *path) {
  failure->error = errno;
  failure->call = call;
  snprintf(failure->path, sizeof failure->path, "%s", path);
  return false;
}

static bool write_file(const char *path, const char *text) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  const bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  close(fd);
  return ok;
}

// --config has semicolons where the file has newlines.
static bool write_config(const struct options *options) {
  char text[1024];
  if (snprintf(text, sizeof text, "%s\n", options->config) >= (int)sizeof text) {
    errno = E2BIG;
    return false;
  }
  for (char *c = text; *c; c++)
    if (*c == ';') *c = '\n';
  return write_file(SHIM_DIRECTORY "/config", text);
}

// The session gets a copy: the package may be on a file system without exec, or be replaced while the session runs.
static bool copy_shim(const char *from) {
  const int in = open(from, O_RDONLY | O_CLOEXEC);
  const int out = open(SHIM_COPY, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
  ssize_t copied = -1;
  if (in >= 0 && out >= 0)
    while ((copied = sendfile(out, in, NULL, 1 << 20)) > 0) {
    }
  const int error = errno;
  if (in >= 0) close(in);
  if (out >= 0) close(out);
  errno = error;
  return copied == 0;
}

static bool bind_read_only(const char *from, const char *over) {
  return mount(from, over, NULL, MS_BIND, NULL) == 0 &&
         mount(NULL, over, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) == 0;
}

// real/NAME is the shell itself, for every name it goes by; the first shell of a name has it.
static bool keep_real(const struct shell *shell, struct failure *failure) {
  for (size_t i = 0; i < shell->name_count; i++) {
    char path[PATH_MAX], from[32];
    snprintf(path, sizeof path, SHIM_DIRECTORY "/real/%s", shell->names[i]);
    snprintf(from, sizeof from, "/proc/self/fd/%d", shell->real);
    if (access(path, F_OK) == 0) continue;
    if (!write_file(path, "")) return failed(failure, "open", path);
    if (mount(from, path, NULL, MS_BIND, NULL) < 0) return failed(failure, "mount", path);
  }
  return true;
}

static bool furnish(const struct options *options, const struct shells *shells, struct failure *failure) {
  if (mkdir(SHIM_DIRECTORY "/real", 0755) < 0) return failed(failure, "mkdir", SHIM_DIRECTORY "/real");
  // A link and no mount: a daemon that starts anew makes its socket anew, and a mount would hold the old one.
  if (symlink(options->socket, SHIM_DIRECTORY "/socket") < 0) return failed(failure, "symlink", SHIM_DIRECTORY "/socket");
  if (!write_config(options)) return failed(failure, "write", SHIM_DIRECTORY "/config");
  if (!copy_shim(options->shim)) return failed(failure, "copy", options->shim);
  for (size_t i = 0; i < shells->count; i++)
    if (!keep_real(&shells->found[i], failure)) return false;
  for (size_t i = 0; i < shells->count; i++)
    if (!bind_read_only(SHIM_COPY, shells->found[i].path)) return failed(failure, "mount", shells->found[i].path);
  if (mount(NULL, SHIM_DIRECTORY, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0)
    return failed(failure, "remount", SHIM_DIRECTORY);
  return true;
}

static bool make_directory(const char *path) { return mkdir(path, 0755) == 0 || errno == EEXIST; }

// In the new namespace.
static bool build(const struct options *options, struct failure *failure) {
  static struct shells shells;
  const char *name = "";
  // The host's later mounts are to be seen here, ours are not to be seen by the host.
  if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) return failed(failure, "mount", "/");
  if (!shells_find(&shells, options->shells, &name)) return failed(failure, "shells", name);
  if (!make_directory("/run/agentcgroup") || !make_directory(SHIM_DIRECTORY))
    return failed(failure, "mkdir", SHIM_DIRECTORY);
  if (mount("agentcgroup", SHIM_DIRECTORY, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") < 0)
    return failed(failure, "mount", SHIM_DIRECTORY);
  return furnish(options, &shells, failure);
}

bool way_mount(const struct options *options, struct failure *failure) {
  const int before = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  const int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (unshare(CLONE_NEWNS) < 0) return failed(failure, "unshare", "CLONE_NEWNS");
  const mode_t mask = umask(022);  // what is made here is for the session's user, whoever that is
  const bool built = build(options, failure);
  umask(mask);
  if (built) return true;
  // Half a job is undone by leaving the namespace, which goes away with what was mounted in it.
  if (setns(before, CLONE_NEWNS) < 0) return failed(failure, "setns", "/proc/self/ns/mnt");
  if (cwd >= 0 && fchdir(cwd) < 0) return failed(failure, "fchdir", ".");
  return false;
}
