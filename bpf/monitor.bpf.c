// SPDX-License-Identifier: GPL-2.0
#include "vmlinux-min.h"
#include "shared.bpf.h"

SEC("fexit/page_counter_try_charge")
int BPF_PROG(charge, struct page_counter *counter, unsigned long nr_pages, struct page_counter **fail, bool charged)
{
	struct cgroup *cgrp;
	struct mem_cgroup *memcg = acg_memcg_of(counter, &cgrp);
	struct acg_cgroup *whose;

	if (!memcg || !(whose = acg_lookup(cgrp)))
		return 0;
	struct acg_event_sample *e = acg_reserve(struct acg_event_sample, ACG_EVENT_SAMPLE, whose, 0);
	if (e)
		bpf_ringbuf_submit(e, 0);
	return 0;
}
