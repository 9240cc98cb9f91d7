// SPDX-License-Identifier: Apache-2.0
#include "protocol.h"

#include <string.h>

static void store(uint8_t *to, uint64_t value, unsigned width) {
  for (unsigned i = 0; i < width; i++) to[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t load(const uint8_t *from, unsigned width) {
  uint32_t value = 0;
  for (unsigned i = 0; i < width; i++) value |= (uint32_t)from[i] << (8 * i);
  return value;
}

void acg_begin(struct acg_frame *frame, enum acg_type type) {
  store(frame->bytes, ACG_MAGIC, 4);
  store(frame->bytes + 4, ACG_VERSION, 2);
  store(frame->bytes + 6, type, 2);
  frame->length = ACG_HEADER_BYTES;
  frame->overflow = false;
}

void acg_put(struct acg_frame *frame, enum acg_tag tag, const void *value, size_t length) {
  const size_t room = sizeof frame->bytes - frame->length;
  if (frame->overflow || room < ACG_FIELD_HEADER_BYTES || room - ACG_FIELD_HEADER_BYTES < length) {
    frame->overflow = true;
    return;
  }
  uint8_t *at = frame->bytes + frame->length;
  store(at, tag, 2);
  store(at + 2, 0, 2);
  store(at + 4, length, 4);
  if (length > 0) memcpy(at + ACG_FIELD_HEADER_BYTES, value, length);
  frame->length += ACG_FIELD_HEADER_BYTES + length;
}

void acg_put_u32(struct acg_frame *frame, enum acg_tag tag, uint32_t value) {
  uint8_t bytes[4];
  store(bytes, value, sizeof bytes);
  acg_put(frame, tag, bytes, sizeof bytes);
}

void acg_put_u64(struct acg_frame *frame, enum acg_tag tag, uint64_t value) {
  uint8_t bytes[8];
  store(bytes, value, sizeof bytes);
  acg_put(frame, tag, bytes, sizeof bytes);
}

bool acg_finish(struct acg_frame *frame) {
  store(frame->bytes + 8, frame->length - ACG_HEADER_BYTES, 4);
  return !frame->overflow;
}

// One field into the reply. False when it does not have the form its tag demands.
static bool take(struct acg_reply *reply, uint32_t tag, const uint8_t *value, size_t length) {
  const char *text = (const char *)value;
  switch (tag) {
    case ACG_TAG_VERDICT:
    case ACG_TAG_POLICY:
    case ACG_TAG_OOM_SCORE_ADJ:
      if (length != 4) return false;
      if (tag == ACG_TAG_VERDICT) reply->verdict = load(value, 4);
      if (tag == ACG_TAG_POLICY) reply->policy = load(value, 4);
      if (tag == ACG_TAG_OOM_SCORE_ADJ) {
        reply->oom_score_adj = (int32_t)load(value, 4);
        reply->has_oom_score_adj = true;
      }
      return true;
    case ACG_TAG_CALL:
      reply->call = text;
      reply->call_length = length;
      return length <= ACG_MAX_CALL;
    case ACG_TAG_TEXT:
      reply->text = text;
      reply->text_length = length;
      return length <= ACG_MAX_TEXT;
    case ACG_TAG_CODE:
      reply->code = text;
      reply->code_length = length;
      return length <= ACG_MAX_TEXT;
    default:
      return true;  // a field of a later release
  }
}

static bool take_all(struct acg_reply *reply, const uint8_t *at, size_t left) {
  uint32_t seen = 0;
  while (left > 0) {
    if (left < ACG_FIELD_HEADER_BYTES) return false;
    const uint32_t tag = load(at, 2), length = load(at + 4, 4);
    if (load(at + 2, 2) != 0 || length > left - ACG_FIELD_HEADER_BYTES) return false;
    if (tag <= ACG_TAG_CODE) {
      if (seen & (1u << tag)) return false;
      seen |= 1u << tag;
    }
    if (!take(reply, tag, at + ACG_FIELD_HEADER_BYTES, length)) return false;
    at += ACG_FIELD_HEADER_BYTES + length;
    left -= ACG_FIELD_HEADER_BYTES + length;
  }
  const uint32_t opened = 1u << ACG_TAG_VERDICT | 1u << ACG_TAG_CALL;
  switch (reply->type) {
    case ACG_OPENED:
      return (seen & opened) == opened && reply->verdict <= ACG_REFUSED;
    case ACG_CLOSED:
      return seen & 1u << ACG_TAG_TEXT;
    case ACG_ERROR:
      return seen & 1u << ACG_TAG_CODE;
    case ACG_RESUMED:
    case ACG_QUEUED:
      return true;
    default:
      return false;
  }
}

long acg_decode(const uint8_t *bytes, size_t length, struct acg_reply *reply) {
  if (length < ACG_HEADER_BYTES) return 0;
  const uint32_t payload = load(bytes + 8, 4);
  if (load(bytes, 4) != ACG_MAGIC || load(bytes + 4, 2) != ACG_VERSION || payload > ACG_MAX_PAYLOAD) return -1;
  if (length - ACG_HEADER_BYTES < payload) return 0;
  *reply = (struct acg_reply){.type = (enum acg_type)load(bytes + 6, 2)};
  if (!take_all(reply, bytes + ACG_HEADER_BYTES, payload)) return -1;
  return (long)(ACG_HEADER_BYTES + payload);
}
