/* SPDX-License-Identifier: GPL-2.0 */
/* What memcg.c tells fixtures/memcg.bpf.c, and hears from it. */
#ifndef MEMCG_H
#define MEMCG_H

enum knob { KNOB_DELAY, KNOB_LOW, KNOB_LOW_TOO, KNOB_MIN, KNOB_MIN_TOO, KNOBS };
enum seen {
	SEEN_ONLINE,
	SEEN_ONLINE_ID,
	SEEN_OFFLINE,
	SEEN_OFFLINE_ID,
	SEEN_LOW,
	SEEN_MIN,
	SEEN_CHARGED,
	SEEN_UNCHARGED,
	SEEN_USAGE,
	SEEN,
};

#endif
