// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "port.h"

static void mount_or_fail(const char *source, const char *target, const char *type, unsigned long flags,
                          const char *data) {
    if (mount(source, target, type, flags, data) < 0) {
        char what[256];
        snprintf(what, sizeof what, "mount %s on %s", type, target);
        fail(what);
    }
}

// A filesystem that a small custom kernel may not have.
static void mount_if_known(const char *type, const char *target, unsigned long flags, const char *data) {
    if (mount(type, target, type, flags, data) < 0 && errno != ENODEV && errno != ENOENT) {
        char what[256];
        snprintf(what, sizeof what, "mount %s on %s", type, target);
        fail(what);
    }
}

static void write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0) fail(path);
    close(fd);
}

void mount_kernel(void) {
    mkdir("/dev", 0755);
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mount_or_fail("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
    int console = open("/dev/console", O_RDWR);
    if (console >= 0) {
        dup2(console, 0);
        dup2(console, 1);
        dup2(console, 2);
    }
    mount_or_fail("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_or_fail("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

void load_modules(void) {
    FILE *order = fopen("/modules/order", "re");
    if (!order) return;
    char name[256];
    while (fscanf(order, "%255s", name) == 1) {
        char path[300];
        snprintf(path, sizeof path, "/modules/%s", name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)) fail(path);
        close(fd);
    }
    fclose(order);
}

void build_root(void) {
    mkdir("/host", 0755);
    mkdir("/rw", 0755);
    mkdir("/root", 0755);
    mount_or_fail("hostroot", "/host", "virtiofs", MS_RDONLY, NULL);
    mount_or_fail("tmpfs", "/rw", "tmpfs", 0, "mode=0755");
    mkdir("/rw/upper", 0755);
    mkdir("/rw/work", 0755);
    mount_or_fail("overlay", "/root", "overlay", 0, "lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work");
    const char *modules = getenv("ACG_MODULES");
    if (modules) {
        char from[1024];
        snprintf(from, sizeof from, "/host%s", modules);
        mkdir("/root/lib/modules", 0755);
        mount_or_fail(from, "/root/lib/modules", "bind", MS_BIND, NULL);
    }
    if (chdir("/root") < 0 || mount("/dev", "dev", NULL, MS_MOVE, NULL) < 0 ||
        mount("/proc", "proc", NULL, MS_MOVE, NULL) < 0 || mount("/sys", "sys", NULL, MS_MOVE, NULL) < 0 ||
        mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
        fail("switch to the overlay root");
}

void mount_system(void) {
    mount_or_fail("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
    mkdir("/dev/pts", 0755);
    mkdir("/dev/shm", 01777);
    mkdir("/dev/mqueue", 01777);
    mount_or_fail("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666");
    mount_or_fail("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
    mount_if_known("mqueue", "/dev/mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    if (symlink("/proc/self/fd", "/dev/fd") < 0 || symlink("/proc/self/fd/0", "/dev/stdin") < 0 ||
        symlink("/proc/self/fd/1", "/dev/stdout") < 0 || symlink("/proc/self/fd/2", "/dev/stderr") < 0)
        fail("links in /dev");
    // the options systemd mounts it with: what holds here holds on a systemd machine
    mount_or_fail("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                  "nsdelegate,memory_recursiveprot");
    mount_if_known("bpf", "/sys/fs/bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700");
    mount_if_known("debugfs", "/sys/kernel/debug", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_if_known("tracefs", "/sys/kernel/tracing", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_if_known("securityfs", "/sys/kernel/security", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    if (getenv("ACG_SHARE")) {
        mkdir(SHARE_PATH, 0755);
        mount_or_fail("share", SHARE_PATH, "virtiofs", MS_NOSUID | MS_NODEV, NULL);
    }
}

void loopback_up(void) {
    struct ifreq request = {.ifr_name = "lo"};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s < 0 && errno == EAFNOSUPPORT) return;
    if (s < 0 || ioctl(s, SIOCGIFFLAGS, &request) < 0) fail("loopback");
    request.ifr_flags |= IFF_UP | IFF_RUNNING;
    if (ioctl(s, SIOCSIFFLAGS, &request) < 0) fail("loopback up");
    close(s);
}

// What mkswap(8) writes: a header in the first page (see union swap_header in the kernel's include/linux/swap.h).
void swap_on_zram(const char *bytes) {
    write_file("/sys/block/zram0/disksize", bytes);
    int fd = open("/dev/zram0", O_RDWR | O_CLOEXEC);
    if (fd < 0) fail("/dev/zram0");
    long page = sysconf(_SC_PAGESIZE);
    char *header = calloc(1, page);
    uint32_t info[2] = {1, (uint32_t)(strtoull(bytes, NULL, 10) / page - 1)}; // version, last_page
    memcpy(header + 1024, info, sizeof info);
    memcpy(header + page - 10, "SWAPSPACE2", 10);
    if (pwrite(fd, header, page, 0) != page || fsync(fd) < 0) fail("swap header");
    free(header);
    close(fd);
    if (swapon("/dev/zram0", 0) < 0) fail("swapon");
}
