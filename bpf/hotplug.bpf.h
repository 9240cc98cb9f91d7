/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CPUs that are not ours: gone, or taken over by another class.
 */
#ifndef ACG_HOTPLUG_BPF_H
#define ACG_HOTPLUG_BPF_H

/*
 * Hotplug. Without these two operations it would eject us. The kernel moves queued tasks off a CPU that goes away, but waits
 * for those that cannot migrate, which all held tasks are.
 */
SEC("struct_ops/acg_cpu_online")
void BPF_PROG(acg_cpu_online, s32 cpu)
{
	struct cpu_state *c = cpu_at(cpu);

	if (c)
		c->leaving = 0;
}

SEC("struct_ops/acg_cpu_offline")
void BPF_PROG(acg_cpu_offline, s32 cpu)
{
	struct cpu_state *c = cpu_at(cpu);

	if (!c)
		return;
	c->running = 0;
	c->leaving = 1;
	look_now(cpu);
}

/*
 * In partial mode the fair class can take a CPU from us for long. What waits in that CPU's local queue goes back to the
 * shared one, for another CPU to take.
 */
SEC("tp_btf/sched_switch")
int BPF_PROG(acg_taken_over, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	if (prev->policy != SCHED_EXT_POLICY || next->policy == SCHED_EXT_POLICY || !next->pid)
		return 0;
	count(requeued);
	scx_bpf_reenqueue_local___v2___acg();
	return 0;
}

#endif
