// SPDX-License-Identifier: Apache-2.0
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_DIRECTORY "/run/agentcgroup/shim"

// The variable is for sessions whose shim directory is not in the usual place. Where there is one in the usual place it does
// not count: the shim then stands over /bin/sh itself, and a set-user-ID program that uses a shell must not be led to another.
static const char *find_directory(void) {
  const char *directory = getenv("AGENTCGROUP_SHIM_DIR");
  if (!directory || directory[0] != '/' || getauxval(AT_SECURE) || access(DEFAULT_DIRECTORY "/real", F_OK) == 0)
    return DEFAULT_DIRECTORY;
  return directory;
}

// The path this program was started by: where there is no /proc, the next best answer.
static const char *started_by(void) {
  const char *path = (const char *)getauxval(AT_EXECFN);
  return path ? path : "";
}

void place_find(struct place *place) {
  place->directory = find_directory();
  place->fail_closed = false;
  place->same_signal = false;
  place->wait_ms = 3000;

  // Not argv[0]: a caller may put anything there.
  char link[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", link, sizeof link - 1);
  if (length > 0) link[length] = '\0';
  const char *path = length > 0 ? link : started_by();
  const char *slash = strrchr(path, '/');
  const char *base = slash ? slash + 1 : path;
  place->prefix = strcmp(base, "agentcgroup-prefix") == 0;
  if (*base == '\0' || place->prefix || strcmp(base, "agentcgroup-shell") == 0) base = "bash";
  strncpy(place->name, base, NAME_MAX);
  place->name[NAME_MAX] = '\0';
}

// A small file as a string: what does not fit is cut. False when it cannot be read.
static bool read_file(const char *path, char *into, size_t size) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  size_t length = 0;
  for (ssize_t got; length < size - 1 && (got = read(fd, into + length, size - 1 - length)) > 0;) length += (size_t)got;
  close(fd);
  into[length] = '\0';
  return true;
}

bool place_in_agent_leaf(void) {
  char text[16384];  // a line for each hierarchy, paths of up to 4 KiB
  if (!read_file("/proc/self/cgroup", text, sizeof text)) return false;
  // On a hybrid machine the v1 hierarchies come first.
  const char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
  if (!line) return false;
  if (*line == '\n') line++;
  const char *end = strchrnul(line, '\n');
  static const char leaf[] = "/agent";
  const size_t size = sizeof leaf - 1;
  return (size_t)(end - line) > size && memcmp(end - size, leaf, size) == 0;
}

// The value when the line is `KEY=VALUE`.
static const char *value_of(const char *line, const char *key) {
  const size_t length = strlen(key);
  return strncmp(line, key, length) == 0 && line[length] == '=' ? line + length + 1 : NULL;
}

void place_configure(struct place *place) {
  char path[PATH_MAX], text[1024];
  if (strlen(place->directory) + sizeof "/config" > sizeof path) return;
  strcpy(stpcpy(path, place->directory), "/config");
  if (!read_file(path, text, sizeof text)) return;
  char *rest = NULL;
  for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    const char *value;
    if ((value = value_of(line, "fail"))) place->fail_closed = strcmp(value, "closed") == 0;
    if ((value = value_of(line, "signal_exit"))) place->same_signal = strcmp(value, "same") == 0;
    if ((value = value_of(line, "wait_ms"))) {
      const long ms = strtol(value, NULL, 10);
      if (ms >= 0 && ms <= 600 * 1000) place->wait_ms = (int)ms;
    }
  }
}

static bool is_shim(const struct stat *shim, const char *path) {
  struct stat found;
  return stat(path, &found) == 0 && found.st_dev == shim->st_dev && found.st_ino == shim->st_ino;
}

void place_exec_real(const struct place *place, char *const argv[], char *const envp[]) {
  const char *folders[] = {place->directory, "/usr/local/bin", "/usr/bin", "/bin"};
  struct stat shim;
  if (stat("/proc/self/exe", &shim) < 0 && stat(started_by(), &shim) < 0) return;
  int error = ENOENT;
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    char path[PATH_MAX];
    const char *between = i == 0 ? "/real/" : "/";
    if (strlen(folders[i]) + strlen(between) + strlen(place->name) >= sizeof path) continue;
    stpcpy(stpcpy(stpcpy(path, folders[i]), between), place->name);
    if (is_shim(&shim, path)) continue;
    execve(path, argv, envp);
    if (errno != ENOENT && errno != ENOTDIR) {
      error = errno;
      break;  // it is there but cannot be run (E2BIG, EACCES, ENOMEM): say so instead of running another one
    }
  }
  errno = error;
}
