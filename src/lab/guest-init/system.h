// SPDX-License-Identifier: Apache-2.0
// What a machine has before its first command: kernel modules, a root, the usual mounts, loopback, swap. All fail as `fail`
// does.
#ifndef ACG_SYSTEM_H
#define ACG_SYSTEM_H

#define SHARE_PATH "/run/lab-share"

// /dev, /proc and /sys of the initramfs, and the console as standard streams.
void mount_kernel(void);
// The modules named in /modules/order, in that order; the host put them there decompressed, dependencies first.
void load_modules(void);
// The host's root read-only over virtiofs, a tmpfs overlaid.
void build_root(void);
void mount_system(void);
void loopback_up(void);
void swap_on_zram(const char *bytes);

#endif
