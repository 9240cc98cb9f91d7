// The protocol between the shim and the daemon, version 1: the shim's side. The daemon's side and the description of a
// frame are in src/control/intercept/protocol.ts; a test holds the two together.
// SPDX-License-Identifier: Apache-2.0
#ifndef ACG_PROTOCOL_H
#define ACG_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACG_MAGIC 0x31474341u
#define ACG_VERSION 1u
#define ACG_HEADER_BYTES 12u
#define ACG_FIELD_HEADER_BYTES 8u
#define ACG_MAX_PAYLOAD (256u * 1024u)
#define ACG_MAX_ARG_BYTES (64u * 1024u)
#define ACG_MAX_ARGS 1024u
#define ACG_MAX_TEXT (64u * 1024u)
#define ACG_MAX_CALL 128u
#define ACG_MAX_VARIABLE 4096u

enum acg_type {
  ACG_OPEN = 1,
  ACG_STARTED = 2,
  ACG_ENDED = 3,
  ACG_RESUME = 4,
  ACG_OPENED = 129,
  ACG_CLOSED = 130,
  ACG_RESUMED = 131,
  ACG_QUEUED = 132,
  ACG_ERROR = 255,
};

enum acg_tag {
  ACG_TAG_SHELL = 1,
  ACG_TAG_ARG = 2,
  ACG_TAG_ARG_BYTES = 3,
  ACG_TAG_CWD = 4,
  ACG_TAG_ENV = 5,
  ACG_TAG_FLAGS = 6,
  ACG_TAG_PID = 7,
  ACG_TAG_STATUS = 8,
  ACG_TAG_USER_USEC = 9,
  ACG_TAG_SYSTEM_USEC = 10,
  ACG_TAG_MAX_RSS_KIB = 11,
  ACG_TAG_CALL = 12,
  ACG_TAG_VERDICT = 13,
  ACG_TAG_OOM_SCORE_ADJ = 14,
  ACG_TAG_POLICY = 15,
  ACG_TAG_TEXT = 16,
  ACG_TAG_CODE = 17,
};

enum acg_verdict { ACG_CONTAINED = 0, ACG_PLAIN = 1, ACG_REFUSED = 2 };

enum { ACG_FLAG_TTY = 1, ACG_FLAG_INTERACTIVE = 2 };
enum { ACG_POLICY_SCHED_EXT = 1 };

// A frame under construction. What does not fit sets `overflow`, and the frame must not be sent.
struct acg_frame {
  size_t length;
  bool overflow;
  uint8_t bytes[ACG_HEADER_BYTES + ACG_MAX_PAYLOAD];
};

void acg_begin(struct acg_frame *frame, enum acg_type type);
void acg_put(struct acg_frame *frame, enum acg_tag tag, const void *value, size_t length);
void acg_put_u32(struct acg_frame *frame, enum acg_tag tag, uint32_t value);
void acg_put_u64(struct acg_frame *frame, enum acg_tag tag, uint64_t value);
// Writes the length into the header. False when the frame overflowed.
bool acg_finish(struct acg_frame *frame);

// What a daemon sent. Texts point into the frame they were decoded from and are not terminated.
struct acg_reply {
  enum acg_type type;
  uint32_t verdict, policy;
  int32_t oom_score_adj;
  bool has_oom_score_adj;
  const char *call, *text, *code;
  size_t call_length, text_length, code_length;
};

// Decodes the frame at the start of bytes. Returns its length, 0 when more bytes are needed, -1 when this is no message
// that a daemon of this version may send.
long acg_decode(const uint8_t *bytes, size_t length, struct acg_reply *reply);

#endif
