// SPDX-License-Identifier: Apache-2.0
// The virtio-serial port, the guest's only way to the host, and the frames that go over it both ways: u8 type, u32 length
// (little endian), payload (frames.ts is the other end).
//   guest: 'R' ready (kernel release)  'F' failure before the command could run (text)  'N' a note for people (text)
//          'O' 'E' bytes of stdout, stderr  'X' exit: "exit N" or "signal N", after the last byte of output
//   host:  'S' start (the job, see job.h)  'I' bytes for the terminal  'W' "ROWS COLUMNS" of the terminal
#ifndef ACG_PORT_H
#define ACG_PORT_H

#include <stddef.h>

// The port takes at most 32 KiB per write: a frame with its header fits in one.
#define FRAME_HEADER 5
#define FRAME_DATA (32768 - FRAME_HEADER)

// Frames from the host. `buffer` holds an incomplete one between calls.
struct incoming {
    char *buffer;
    size_t used, size;
    size_t typed; // of an 'I' frame at the start: bytes the terminal has taken
};

// Non-blocking; -1 before open_port.
extern int port;

void open_port(void);

// Writes a whole frame; waits while the host is slow. Without a host (QEMU gone, its peer dead) the guest has no purpose.
void send_frame(char type, const void *data, size_t length);
void send_text(char type, const char *format, ...) __attribute__((format(printf, 2, 3)));

// 1: a frame stands at the buffer's start; 0: not yet; -1: the host is gone.
int receive(struct incoming *in);
void drop_frame(struct incoming *in, size_t payload);

void power_off(void);
// Tells the host what failed and why (errno), and ends the guest.
void fail(const char *what) __attribute__((noreturn));

#endif
