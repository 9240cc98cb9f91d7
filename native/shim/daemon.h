// The connection to the daemon. SPDX-License-Identifier: Apache-2.0
#ifndef ACG_DAEMON_H
#define ACG_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"

struct daemon {
  int socket;   // -1: no connection
  int passed;   // the descriptor that came with a message, or -1
  size_t filled, taken;  // bytes received; of these, the frame that was handed out last
  uint8_t received[ACG_HEADER_BYTES + ACG_MAX_PAYLOAD];
};

enum connected { CONNECTED, NOT_YET, NEVER };

// One attempt. NOT_YET: nobody listens (a restart) or the queue is full; NEVER: this process may not (a sandbox).
enum connected daemon_connect(struct daemon *daemon, const char *directory);

// Sends a frame, waiting at most so long for room. False: the connection is of no use any more (and closed).
bool daemon_send(struct daemon *daemon, struct acg_frame *frame, int wait_ms);

enum received { RECEIVED, INCOMPLETE, HUNG_UP };

// Reads what is there without waiting. RECEIVED: reply is filled and stays valid until the next call. HUNG_UP: end of the
// stream, an error or nonsense; the connection is closed.
enum received daemon_receive(struct daemon *daemon, struct acg_reply *reply);

void daemon_hang_up(struct daemon *daemon);

#endif
