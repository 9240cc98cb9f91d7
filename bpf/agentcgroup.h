/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The wire format: what the BPF programs and user space say to each other.
 *
 * Every structure here is described a second time in src/control/kernel/wire.ts and the two are compared, field by field,
 * through the object's BTF whenever a program is loaded. Rules that keep both simple: fixed-width integers only, every
 * structure a multiple of 8 bytes, no implicit padding, no bit fields, no pointers.
 *
 * Cgroups are named by their id: the inode number of the cgroup directory (`stat -c %i`), equal in every namespace.
 * Times are CLOCK_MONOTONIC nanoseconds. Sizes are bytes.
 */
#ifndef AGENTCGROUP_H
#define AGENTCGROUP_H

/* Part of the pin directory's name: daemons with another layout never touch these maps. Raise it with every change below. */
#define ACG_WIRE_VERSION 1

#define ACG_COMM_LEN 16
/* Arguments of one exec, NUL-separated, cut here. 1 KiB holds 99.9 % of what `bash -c` is asked to do. */
#define ACG_ARGS_MAX 1024

/* What a cgroup is to us (the tree: root / tenant-* / session-* / agent | tool-*). */
enum acg_kind {
	ACG_KIND_ROOT = 1,
	ACG_KIND_TENANT = 2,
	ACG_KIND_SESSION = 3,
	ACG_KIND_AGENT = 4,	/* the agent leaf: the framework's own processes */
	ACG_KIND_CALL = 5,	/* one tool call */
	ACG_KIND_NESTED = 6,	/* made inside a call or an agent leaf by whoever runs there */
};

/* Value of map acg_cgroups, key: cgroup id. Made and removed in the kernel as cgroups come and go. */
struct acg_cgroup {
	__u64 tenant;		/* cgroup ids; 0: not below one */
	__u64 session;
	__u64 leaf;		/* the call or agent leaf this is, or is inside of; 0 above them */
	__u64 serial;		/* the cgroup's serial number: ids are reused, serials never */
	__u32 kind;		/* enum acg_kind */
	__u32 level;		/* depth below the hierarchy's root */
};

/* Key and value of map acg_exempt: executables that are no tool call when an agent starts them (our shim). */
struct acg_exe {
	__u64 dev;		/* dev_t inside the kernel: major << 20 | minor; not what stat(2) says (overlayfs, btrfs) */
	__u64 ino;
};

/* Value of map acg_agents, key: id of the agent leaf. Written by user space. */
struct acg_agent {
	__u32 main_pid;		/* the framework's main process in the initial pid namespace; 0: any process of the leaf */
	__u32 zero;
};

/* Value of map acg_usage, key: leaf id. Written by the charge hooks. */
struct acg_usage {
	__u64 usage;		/* memory.current at the last charge or uncharge */
	__u64 session_usage;	/* the same of the session above, at the last sample */
	__u64 peak;		/* highest usage seen by the hooks */
	__u64 sampled_ns;	/* when the last sample event was sent */
	__u64 sampled_usage;	/* and its usage */
	__s64 growth;		/* bytes per second between the last two samples */
	__u64 peak_process;	/* largest peak RSS of a process that has exited: KiB << 32 | pid */
	__u64 ooms;		/* processes of this leaf chosen by the OOM killer */
};

/* Per-CPU value of map acg_counts, key: leaf id. User space adds the CPUs up. */
struct acg_counts {
	__u64 forks;		/* processes; */
	__u64 threads;		/* and threads started */
	__u64 execs;
	__u64 exits;		/* processes ended */
	__u64 charges;		/* batches charged, */
	__u64 charged_bytes;	/* their size, */
	__u64 charge_fails;	/* and those that did not fit (memory.max on the way up) */
	__u64 uncharged_bytes;
	__u64 reclaims;		/* times a task of this leaf had to reclaim for a memory cgroup, */
	__u64 reclaim_ns;	/* how long that took, */
	__u64 reclaimed_pages;	/* and what it freed */
	__u64 stalls;		/* times a task of this leaf waited for memory (PSI's definition), */
	__u64 stall_ns;		/* and for how long */
	__u64 run_delay_ns;	/* CPU stall: time exited threads had spent runnable but waiting for a CPU */
	__u64 samples;		/* usage samples sent */
	__u64 outside;		/* processes started by the agent outside the shim */
};

/*
 * Events: map acg_events, one ring buffer for all programs. 1-15 monitor, 16-31 governor, 32-47 scheduler.
 * Map acg_lost (per-CPU array, index: type) counts those that found the ring full; index 0 the cgroups of ours that found
 * acg_cgroups full, whose processes nobody is told about.
 */
#define ACG_LOST_CGROUP 0
enum acg_event_type {
	ACG_EVENT_FORK = 1,
	ACG_EVENT_EXEC = 2,
	ACG_EVENT_EXIT = 3,
	ACG_EVENT_OUTSIDE = 4,	/* an exec that may be a tool call which did not come through the shim */
	ACG_EVENT_SAMPLE = 5,
	ACG_EVENT_OOM = 6,
	ACG_EVENT_HEADROOM = 16,	/* the low-water mark was crossed, or headroom is back */
	ACG_EVENT_TYPES = 48,
};

/* How every event begins. */
struct acg_event {
	__u64 time_ns;
	__u64 tenant;		/* cgroup ids, as in struct acg_cgroup */
	__u64 session;
	__u64 leaf;
	__u32 type;		/* enum acg_event_type */
	__u32 kind;		/* enum acg_kind of the cgroup it happened in */
	__u32 pid;		/* process id (tgid) in the initial pid namespace; 0: none */
	__u32 cpu;
};

struct acg_event_fork {
	struct acg_event head;	/* pid: the parent */
	__u32 child;
	__u32 zero;
	__u8 comm[ACG_COMM_LEN];
};

/* ACG_EVENT_EXEC and ACG_EVENT_OUTSIDE. Sent with only as much of args as there is. */
struct acg_event_exec {
	struct acg_event head;
	struct acg_exe exe;
	__u32 ppid;
	__u32 args_len;		/* bytes in args */
	__u64 args_total;	/* bytes there were before cutting */
	__u8 comm[ACG_COMM_LEN];
	__u8 args[ACG_ARGS_MAX];
};

struct acg_event_exit {
	struct acg_event head;
	__u32 status;		/* wait status: signal in bits 0-6, 0x80 core dumped, exit code in bits 8-15 */
	__u32 oom;		/* 1: it had been chosen by the OOM killer */
	__u64 start_ns;		/* start of the process */
	__u64 peak_rss;
	__u64 user_ns;		/* CPU time of all its threads */
	__u64 system_ns;
	__u64 run_delay_ns;	/* of its last thread */
	__u8 comm[ACG_COMM_LEN];
};

struct acg_event_sample {
	struct acg_event head;	/* pid: whose charge it was */
	__u64 usage;
	__u64 session_usage;
	__s64 growth;		/* bytes per second since the sample before */
	__u64 since_ns;		/* how long ago that was; 0: the first */
};

struct acg_event_oom {
	struct acg_event head;	/* pid: the victim */
	__u64 anon;		/* what it had resident */
	__u64 file;
	__u64 shmem;
	__u64 swap;
	__u8 comm[ACG_COMM_LEN];
};

/*
 * The memory governor. User space writes acg_rates (key: cgroup id) and acg_guard (array of one); the kernel answers in
 * acg_growth (key: cgroup id) and acg_governor (per-CPU array of one).
 */
enum acg_priority {
	ACG_PRIORITY_HIGH = 0,
	ACG_PRIORITY_NORMAL = 1,
	ACG_PRIORITY_LOW = 2,
};
enum acg_rate_flags {
	ACG_RATE_CALL = 1,	/* a tool call: tasks in it and below may be held. No agent leaf ever gets this flag. */
	ACG_RATE_RELEASED = 2,	/* hold nobody here any more; who is held goes on within 10 ms */
};
struct acg_rate {
	__u64 rate;		/* bytes per second usage may grow above soft; 0: any */
	__u64 burst;		/* bytes it may grow at once after growing slower than that */
	__u64 soft;		/* usage below this is never held */
	__u32 priority;		/* enum acg_priority: how fast rate falls as usage exceeds soft, and who the guard stops */
	__u32 flags;		/* enum acg_rate_flags */
};

/* Made by the kernel at the first charge after acg_rates got the key. User space deletes it together with that key. */
struct acg_growth {
	__u64 allowed;		/* usage up to which nobody is held now */
	__u64 refilled_ns;	/* when allowed was last moved */
	__u64 usage;		/* at the last charge seen */
	__u64 overs;		/* charges that went over */
	__u64 holds;		/* times a task was held on account of this cgroup, */
	__u64 held_ns;		/* and for how long in all */
	__u64 overshoot;	/* largest usage - allowed seen */
};

/* Headroom of one cgroup that contains all others of ours. Mostly the slice, with limit = what the node can give to it. */
struct acg_guard {
	__u64 cgroup;		/* id; 0: no guard */
	__u64 limit;		/* bytes */
	__u64 low;		/* low-priority calls stop growing when limit - usage falls below this */
	__u64 clear;		/* and may go on when it is at least this; > low */
	/* written by the kernel */
	__u64 tripped_ns;	/* since when; 0: not */
	__u64 trips;
	__u64 headroom;		/* at the last charge seen */
};

enum acg_release {
	ACG_RELEASE_TIME = 0,	/* the hold was over, */
	ACG_RELEASE_KILL = 1,	/* a fatal signal, or the task is exiting */
	ACG_RELEASE_OOM = 2,	/* chosen by the OOM killer */
	ACG_RELEASE_SIGNAL = 3,	/* a signal it wants to handle */
	ACG_RELEASE_FREEZE = 4,	/* its cgroup is being frozen */
	ACG_RELEASE_ASKED = 5,	/* ACG_RATE_RELEASED was set */
	ACG_RELEASE_OFFLINE = 6, /* its CPU is going away */
	ACG_RELEASE_REASONS = 8,
};
#define ACG_LATENCY_BUCKETS 32

/* Per-CPU. Latency bucket i: [2^i, 2^(i+1)) ns. */
struct acg_governor {
	__u64 charges;		/* charges looked at */
	__u64 overs;		/* over budget, or growth stopped by the guard */
	__u64 holds;
	__u64 rearms;		/* holds that followed another without going back to user mode */
	__u64 held_ns;
	__u64 short_holds;	/* over by so little that holding would have cost more */
	__u64 schedule_fails;	/* task_work refused */
	__u64 not_parked;	/* asked to be parked, but ran on: the scheduler is gone or bypassed */
	__u64 worst_ns;		/* worst over budget -> parked */
	__u64 releases[ACG_RELEASE_REASONS];
	__u64 latency[ACG_LATENCY_BUCKETS];	/* over budget -> parked */
};

/*
 * Protection by memory.bpf.c. User space writes map acg_needs (key: session id): a session is protected while it runs calls
 * or is refaulting, as long as it uses no more than most. The kernel answers in acg_protection (per-CPU array of one).
 */
struct acg_need {
	__u64 most;		/* bytes of usage up to which the session can be protected; 0: never */
	__u32 running;		/* calls that run now */
	__u32 priority;		/* enum acg_priority: reclaim never breaks the protection of a high one's agent leaf */
};

/* Per-CPU. How often reclaim asked about a cgroup of ours, and what it was told. */
struct acg_protection {
	__u64 asked;
	__u64 low;		/* spared unless there is nothing else */
	__u64 min;		/* spared */
	__u64 idle;		/* not: no call runs and nothing refaults */
	__u64 cold;		/* not: enough of it has not been used of late */
	__u64 over;		/* not: the session uses more than its most */
	__u64 refaults;		/* times a cgroup was found refaulting */
};

/*
 * The policy of the paper (paper.bpf.c). User space writes map acg_paper_roles (key: cgroup id, value: enum acg_priority; who is
 * not in it is left alone). The kernel answers in acg_paper (array of one).
 */
struct acg_paper {
	__u64 window_ns;	/* when the second in which faults are counted began, */
	__u64 faults;		/* and how many it has */
	__u64 shown_ns;		/* when there were last more than the threshold; 0: never */
	__u64 shown;		/* times that happened */
	__u64 delays;		/* charges of low-priority sessions that were delayed */
	__u64 spared;		/* times reclaim was told to pass over a high-priority session */
};

struct acg_event_headroom {
	struct acg_event head;	/* kind, tenant, session, leaf: 0; pid: whose charge it was */
	__u64 cgroup;
	__u64 usage;
	__u64 limit;
	__u64 tripped;		/* 1: crossed the low-water mark, 0: headroom is back */
};

/*
 * The scheduler. Map acg_nodes (array, mmapable): one entry per cgroup of the cpu controller; entry 0 is the root.
 */
struct acg_node {
	__u64 cgroup;		/* id; 0: entry not in use */
	__u64 vtime;		/* virtual time up to which it has had its share */
	__u64 load;		/* sum of the weights of what is runnable below and inside */
	__u64 quota_ns;		/* cpu.max; 0: none */
	__u64 period_ns;
	__u64 burst_ns;
	__s64 budget_ns;	/* left of quota in this period; negative: overrun, paid back from the next */
	__u64 period_start_ns;
	__u64 run_ns;		/* CPU time used by its own tasks */
	__u64 throttled;	/* times one of its tasks waited for cpu.max */
	__u32 used;
	__u32 parent;		/* index */
	__u32 weight;		/* in force: cpu_weight, or 1 when idle */
	__u32 cpu_weight;	/* cpu.weight */
	__u32 idle;		/* cpu.idle */
	__u32 own_counted;	/* what own adds to load now */
	__u32 counted;		/* what this adds to the parent's load now */
	__s32 own;		/* runnable tasks of its own */
	__s32 active;		/* runnable children, itself included */
	__u32 level;
};

/* Per-CPU array of one. */
struct acg_scheduler {
	__u64 idle;		/* wake-ups given to an idle CPU, */
	__u64 preempts;		/* to a busy one at once, */
	__u64 queued;		/* or put into the queue */
	__u64 kept;		/* slices that went to the task that was running already */
	__u64 pinned;		/* enqueues of tasks that may run on one CPU only */
	__u64 throttles;	/* waits for cpu.max */
	__u64 unthrottles;
	__u64 requeued;		/* taken back from a CPU that another scheduling class took over */
	__u64 nodes_full;	/* cgroups that share their parent's entry: acg_nodes was full */
	__u64 wait[ACG_LATENCY_BUCKETS];	/* wake-up -> running, bucket i: [2^i, 2^(i+1)) ns */
};

/* Map acg_scheduler_state, array of one. */
struct acg_scheduler_state {
	__u64 started_ns;
	__u64 exited_ns;	/* 0: running */
	__s64 exit_code;
	__u64 exit_kind;	/* enum scx_exit_kind; >= 1024 is an error */
	__u8 reason[64];
	__u8 message[192];
};

#endif
