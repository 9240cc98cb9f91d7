// SPDX-License-Identifier: Apache-2.0
#include "port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

int port = -1;

void power_off(void) {
    reboot(RB_POWER_OFF);
    for (;;) pause();
}

// Our port's device: its number depends on QEMU, its name does not. virtio_console adds ports from a work queue.
void open_port(void) {
    for (int tries = 0; tries < 1000; tries++, usleep(10000)) {
        DIR *dir = opendir("/sys/class/virtio-ports");
        struct dirent *entry;
        while (dir && (entry = readdir(dir))) {
            char path[400], name[32] = "";
            snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
            FILE *file = fopen(path, "re");
            if (!file) continue;
            int matches = fgets(name, sizeof name, file) && strcmp(name, "agentcgroup\n") == 0;
            fclose(file);
            if (!matches) continue;
            snprintf(path, sizeof path, "/dev/%s", entry->d_name);
            port = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        }
        if (dir) closedir(dir);
        if (port >= 0) return;
    }
    fail("no virtio-serial port named agentcgroup");
}

void send_frame(char type, const void *data, size_t length) {
    static char frame[FRAME_HEADER + FRAME_DATA];
    frame[0] = type;
    uint32_t n = length;
    memcpy(frame + 1, &n, 4);
    memcpy(frame + FRAME_HEADER, data, length);
    size_t size = FRAME_HEADER + length, done = 0;
    while (done < size) {
        ssize_t w = write(port, frame + done, size - done);
        if (w > 0) {
            done += w;
        } else if (w < 0 && errno == EAGAIN) {
            struct pollfd p = {.fd = port, .events = POLLOUT};
            // POLLHUP means "the host's end is not connected", also before it ever was: do not spin on it
            if (poll(&p, 1, 1000) > 0 && (p.revents & POLLHUP)) usleep(10000);
        } else if (w < 0 && errno != EINTR) {
            power_off();
        }
    }
}

void send_text(char type, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    send_frame(type, text, n < (int)sizeof text ? n : (int)sizeof text - 1);
}

int receive(struct incoming *in) {
    for (;;) {
        if (in->used >= FRAME_HEADER) {
            uint32_t n;
            memcpy(&n, in->buffer + 1, 4);
            if (in->used >= FRAME_HEADER + (size_t)n) return 1;
            if (in->size < FRAME_HEADER + (size_t)n) in->buffer = realloc(in->buffer, in->size = FRAME_HEADER + (size_t)n);
        } else if (in->size < 4096) {
            in->buffer = realloc(in->buffer, in->size = 4096);
        }
        ssize_t r = read(port, in->buffer + in->used, in->size - in->used);
        if (r > 0)
            in->used += r;
        else if (r < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        else
            return -1;
    }
}

void drop_frame(struct incoming *in, size_t payload) {
    in->used -= FRAME_HEADER + payload;
    memmove(in->buffer, in->buffer + FRAME_HEADER + payload, in->used);
}

void fail(const char *what) {
    int e = errno;
    fprintf(stderr, "lab init: %s: %s\n", what, strerror(e));
    if (port >= 0) {
        send_text('F', "%s: %s", what, strerror(e));
        sleep(5); // the host ends QEMU when it has read this
    }
    power_off();
    abort();
}
