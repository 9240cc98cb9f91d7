// SPDX-License-Identifier: Apache-2.0
#include "call.h"

bool call_resume(struct call *call) {
  if (daemon_connect(&call->daemon, call->place.directory) != CONNECTED) return false;
  call->announced = true;  // this message says it
  static struct acg_frame frame;
  acg_begin(&frame, ACG_RESUME);
  acg_put(&frame, ACG_TAG_CALL, call->id, call->id_length);
  acg_put_u32(&frame, ACG_TAG_PID, (uint32_t)call->shell);
  return daemon_send(&call->daemon, &frame, call->place.wait_ms);
}
