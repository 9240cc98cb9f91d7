// SPDX-License-Identifier: Apache-2.0
#include "job.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// NUL-terminated fields: wall clock in ms, cwd, rows, columns, argc, argv..., envc, env...
static struct job parse_job(char *data, size_t length) {
    char *at = data, *end = data + length;
    struct job job = {0};
#define NEXT_FIELD(into)                                                                                               \
    do {                                                                                                               \
        if (at >= end) fail("the job is cut short");                                                                   \
        into = at;                                                                                                     \
        at += strlen(at) + 1;                                                                                          \
    } while (0)
    char *field;
    errno = EPROTO;
    if (length == 0 || data[length - 1] != 0) fail("the job is not terminated");
    NEXT_FIELD(field);
    long long ms = strtoll(field, NULL, 10);
    struct timespec clock = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    if (clock_settime(CLOCK_REALTIME, &clock) < 0) fail("set the clock");
    NEXT_FIELD(job.cwd);
    NEXT_FIELD(field);
    job.rows = atoi(field);
    NEXT_FIELD(field);
    job.columns = atoi(field);
    for (int list = 0; list < 2; list++) {
        NEXT_FIELD(field);
        size_t count = strtoul(field, NULL, 10);
        char **strings = calloc(count + 1, sizeof *strings);
        for (size_t i = 0; i < count; i++) NEXT_FIELD(strings[i]);
        *(list ? &job.env : &job.argv) = strings;
    }
#undef NEXT_FIELD
    return job;
}

struct job receive_job(struct incoming *in) {
    for (;;) {
        struct pollfd p = {.fd = port, .events = POLLIN};
        poll(&p, 1, 1000);
        int got = receive(in);
        if (got > 0 && in->buffer[0] == 'S') break;
        if (got > 0) fail("a frame before the start");
        if (got < 0) usleep(10000); // the host's end not open yet
    }
    uint32_t n;
    memcpy(&n, in->buffer + 1, 4);
    char *copy = malloc(n);
    memcpy(copy, in->buffer + FRAME_HEADER, n);
    drop_frame(in, n);
    return parse_job(copy, n);
}
