// SPDX-License-Identifier: Apache-2.0
// PID 1 of the lab guest. It lives in the initramfs, builds the guest's root (the host's root read-only over virtiofs,
// a tmpfs overlaid), runs one command and reports its output and wait status through one virtio-serial port.
//
// One process does it all, so there is nothing to lose to the OOM killer (which spares PID 1) and an exit frame cannot
// overtake output. The environment of PID 1 is what the kernel command line set: ACG_SHARE, ACG_SWAP (bytes),
// ACG_MODULES (a folder of the host, mounted at /lib/modules).
#define _GNU_SOURCE
#include <poll.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "command.h"
#include "system.h"

int main(void) {
    mount_kernel();
    open_port();
    load_modules();
    build_root();
    mount_system();
    loopback_up();
    if (sethostname("lab", 3) < 0) fail("host name");
    const char *swap = getenv("ACG_SWAP");
    if (swap) swap_on_zram(swap);

    struct utsname name;
    uname(&name);
    send_text('R', "%s", name.release);
    struct incoming in = {0};
    struct job job = receive_job(&in);
    serve(&job, &in);
    for (;;) { // the host ends QEMU now; should it be gone, so are we
        struct pollfd p = {.fd = port, .events = POLLIN};
        if (poll(&p, 1, -1) > 0 && (p.revents & POLLHUP)) power_off();
        if (receive(&in) < 0) power_off();
    }
}
