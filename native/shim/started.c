// SPDX-License-Identifier: Apache-2.0
#include "call.h"

void call_announce(struct call *call) {
  if (call->announced || call->daemon.socket < 0) return;
  static struct acg_frame frame;
  acg_begin(&frame, ACG_STARTED);
  acg_put_u32(&frame, ACG_TAG_PID, (uint32_t)call->shell);
  call->announced = daemon_send(&call->daemon, &frame, call->place.wait_ms);  // if not, supervision notices the hang-up
}
