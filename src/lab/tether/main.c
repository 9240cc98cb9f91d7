// SPDX-License-Identifier: Apache-2.0
// tether PARENT_PID [--read-only] [--listen SOCKET] -- COMMAND ARGS...
// Starts COMMAND so that it cannot outlive the process that started it, however that one dies.
//   --read-only   in a mount namespace of its own where every mount is read-only: what the guest cannot write even if it
//                 breaks out of its own read-only mount
//   --listen      COMMAND finds a listening Unix socket as file descriptor 3; SOCKET appears only when it listens
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_FD 3

static void fail(const char *what) {
    fprintf(stderr, "tether: %s: %s\n", what, strerror(errno));
    exit(125);
}

static void listen_at(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (snprintf(address.sun_path, sizeof address.sun_path, "%s.new", path) >= (int)sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        fail(path);
    }
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    if (s < 0 || bind(s, (struct sockaddr *)&address, sizeof address) < 0 || listen(s, 1) < 0 ||
        rename(address.sun_path, path) < 0)
        fail(path);
    if (s != SOCKET_FD && (dup2(s, SOCKET_FD) < 0 || close(s) < 0)) fail("dup2");
}

static void make_all_read_only(void) {
    struct mount_attr private = {.propagation = 1 << 18 /* MS_PRIVATE */};
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    if (unshare(CLONE_NEWNS) < 0) fail("unshare");
    if (syscall(SYS_mount_setattr, AT_FDCWD, "/", 0x8000 /* AT_RECURSIVE */, &private, sizeof private) < 0)
        fail("private mounts");
    if (syscall(SYS_mount_setattr, AT_FDCWD, "/", 0x8000, &read_only, sizeof read_only) < 0) fail("read-only mounts");
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: tether PARENT_PID [--read-only] [--listen SOCKET] -- COMMAND ARGS...\n");
        return 64;
    }
    // Asked for first, checked second: a parent that died in between is noticed either way.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) fail("prctl");
    if (getppid() != atoi(argv[1])) return 125;
    int i = 2;
    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--read-only") == 0)
            make_all_read_only();
        else if (strcmp(argv[i], "--listen") == 0 && i + 1 < argc)
            listen_at(argv[++i]);
    }
    if (++i >= argc) return 64;
    struct rlimit no_core = {0}; // QEMU aborts when KVM disagrees with it
    if (setrlimit(RLIMIT_CORE, &no_core) < 0) fail("setrlimit");
    execvp(argv[i], argv + i);
    fail(argv[i]);
}
