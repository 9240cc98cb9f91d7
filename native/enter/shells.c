// SPDX-License-Identifier: Apache-2.0
#include "shells.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const folders[] = {"/bin", "/usr/bin", "/usr/local/bin"};

static bool add_name(struct shell *shell, const char *name) {
  for (size_t i = 0; i < shell->name_count; i++)
    if (strcmp(shell->names[i], name) == 0) return true;
  if (shell->name_count == MOST_NAMES || strlen(name) > NAME_MAX) {
    errno = ENAMETOOLONG;
    return false;
  }
  strcpy(shell->names[shell->name_count++], name);
  return true;
}

static bool open_real(struct shell *shell) {
  char kept[PATH_MAX];
  const char *base = strrchr(shell->path, '/') + 1;
  if (!add_name(shell, base)) return false;
  snprintf(kept, sizeof kept, SHIM_DIRECTORY "/real/%s", base);
  shell->real = open(kept, O_PATH | O_CLOEXEC);
  if (shell->real < 0) shell->real = open(shell->path, O_PATH | O_CLOEXEC);
  return shell->real >= 0;
}

static bool add(struct shells *shells, const char *path, const char *name) {
  struct shell *fresh = &shells->found[shells->count];
  struct stat file;
  if (!realpath(path, fresh->path) || stat(fresh->path, &file) < 0) return errno == ENOENT;
  if (!S_ISREG(file.st_mode)) return true;
  for (size_t i = 0; i < shells->count; i++) {
    struct shell *known = &shells->found[i];
    // By path and not by inode: under an outer session's shim all shells are one file.
    if (strcmp(known->path, fresh->path) == 0) return add_name(known, name);
  }
  if (shells->count + 1 == MOST_SHELLS) {
    errno = E2BIG;
    return false;
  }
  fresh->name_count = 0;
  if (!open_real(fresh) || !add_name(fresh, name)) return false;
  shells->count++;
  return true;
}

bool shells_find(struct shells *shells, char *names, const char **at) {
  char *rest = NULL;
  shells->count = 0;
  for (char *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
    *at = name;
    if (strchr(name, '/') || name[0] == '.' || strlen(name) > NAME_MAX) {
      errno = EINVAL;
      return false;
    }
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
      char path[PATH_MAX];
      snprintf(path, sizeof path, "%s/%s", folders[i], name);
      if (!add(shells, path, name)) return false;
    }
  }
  return true;
}
