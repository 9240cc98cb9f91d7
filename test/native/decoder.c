// The shim's decoder under sanitizers. SPDX-License-Identifier: Apache-2.0
//   decoder fuzz SEED COUNT   random bytes, and valid frames with bytes changed; prints how many were taken and refused
//   decoder print             frames from stdin, one line of what was decoded for each
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/protocol.h"

static uint64_t state;

static uint32_t any(uint32_t below) {  // xorshift64*
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (uint32_t)((state * 2685821657736338717ull) >> 33) % below;
}

// Every byte that the decoder points at must be inside the frame: ASan watches the reads.
static unsigned touch(const struct acg_reply *reply) {
  unsigned sum = 0;
  for (size_t i = 0; i < reply->call_length; i++) sum += (unsigned char)reply->call[i];
  for (size_t i = 0; i < reply->text_length; i++) sum += (unsigned char)reply->text[i];
  for (size_t i = 0; i < reply->code_length; i++) sum += (unsigned char)reply->code[i];
  return sum;
}

static void random_frame(struct acg_frame *frame) {
  static const enum acg_type types[] = {ACG_OPENED, ACG_CLOSED, ACG_RESUMED, ACG_QUEUED, ACG_ERROR, ACG_OPEN};
  static const char text[200] = "text";
  acg_begin(frame, types[any(6)]);
  if (any(2)) acg_put_u32(frame, ACG_TAG_VERDICT, any(4));
  for (uint32_t fields = any(5); fields > 0; fields--) acg_put(frame, (enum acg_tag)any(40), text, any(sizeof text));
  if (any(2)) acg_put(frame, ACG_TAG_CALL, text, any(sizeof text));
  acg_finish(frame);
}

static int fuzz(uint64_t seed, long count) {
  static struct acg_frame frame;
  long taken = 0, refused = 0, waiting = 0;
  unsigned sum = 0;
  state = seed | 1;
  for (long i = 0; i < count; i++) {
    random_frame(&frame);
    size_t length = any(4) == 0 ? any((uint32_t)frame.length + 1) : frame.length;
    // A heap block of exactly that size: one byte too far is an error.
    uint8_t *bytes = malloc(length > 0 ? length : 1);
    memcpy(bytes, frame.bytes, length);
    for (uint32_t changes = any(4); changes > 0 && length > 0; changes--) bytes[any((uint32_t)length)] = (uint8_t)any(256);
    if (any(10) == 0)
      for (size_t at = any(2) ? ACG_HEADER_BYTES : 0; at < length; at++) bytes[at] = (uint8_t)any(256);
    struct acg_reply reply;
    const long result = acg_decode(bytes, length, &reply);
    if (result > 0) sum += touch(&reply);
    if (result > (long)length) return 1;
    taken += result > 0;
    refused += result < 0;
    waiting += result == 0;
    free(bytes);
  }
  printf("%ld %ld %ld %u\n", taken, refused, waiting, sum & 1);
  return 0;
}

static void print_text(const char *name, const char *text, size_t length) {
  if (!text) return;
  printf(" %s=", name);
  for (size_t i = 0; i < length; i++) printf("%02x", (unsigned char)text[i]);
}

static int print(void) {
  static uint8_t bytes[1 << 24];
  const size_t length = fread(bytes, 1, sizeof bytes, stdin);
  for (size_t at = 0; at < length;) {
    struct acg_reply reply;
    const long result = acg_decode(bytes + at, length - at, &reply);
    if (result <= 0) return 1;
    printf("%d", reply.type);
    if (reply.type == ACG_OPENED) printf(" verdict=%u policy=%u", reply.verdict, reply.policy);
    if (reply.has_oom_score_adj) printf(" oom=%d", reply.oom_score_adj);
    print_text("call", reply.call, reply.call_length);
    print_text("text", reply.text, reply.text_length);
    print_text("code", reply.code, reply.code_length);
    putchar('\n');
    at += (size_t)result;
  }
  return 0;
}

int main(int argc, char *argv[]) {
  if (argc == 4 && strcmp(argv[1], "fuzz") == 0) return fuzz(strtoull(argv[2], NULL, 10), atol(argv[3]));
  if (argc == 2 && strcmp(argv[1], "print") == 0) return print();
  return 64;
}
