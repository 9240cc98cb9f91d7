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
	__u64 dev;		/* as stat(2) encodes it in user space: st_dev */
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

#endif
