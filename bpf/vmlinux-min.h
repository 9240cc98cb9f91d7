/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel as our programs see it: only the types and fields they use. libbpf finds each field by name in the running
 * kernel's BTF (CO-RE), so neither order, nor size, nor the fields left out matter, and no kernel is needed to build.
 * Kept by hand; add a field when a program reads it. A scheduler adds its own types in its own file, in the same way.
 */
#ifndef VMLINUX_MIN_H
#define VMLINUX_MIN_H

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef signed short __s16;
typedef unsigned int __u32;
typedef signed int __s32;
typedef unsigned long long __u64;
typedef signed long long __s64;
typedef __u8 u8;
typedef __s8 s8;
typedef __u16 u16;
typedef __s16 s16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;
typedef __u16 __le16;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;
typedef _Bool bool;
enum { false, true };
typedef int pid_t;
typedef unsigned int uid_t;
typedef unsigned int gfp_t;
typedef unsigned int dev_t;
#define NULL ((void *)0)

/* What the programs use of the system call interface (include/uapi/linux/bpf.h): numbers that never change. */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
	BPF_MAP_TYPE_CGRP_STORAGE = 32,
};
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
	BPF_F_NO_PREALLOC = 1,
	BPF_F_RDONLY_PROG = 128,
	BPF_F_MMAPABLE = 1024,
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
	BPF_F_TIMER_ABS = 1,
	BPF_F_TIMER_CPU_PIN = 2,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};

/* Complete, since libbpf compares prototypes of kernel functions by kind of type. */
struct bpf_map {
	__u32 id;
};
struct bpf_timer {
	__u64 opaque[2];
} __attribute__((aligned(8)));
struct bpf_task_work {
	__u64 opaque;
} __attribute__((aligned(8)));
struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next, *prev;
};
typedef struct {
	int counter;
} atomic_t;
typedef struct {
	long counter;
} atomic_long_t;
struct percpu_counter {
	s64 count;
};

/* cgroups and memory */
struct kernfs_node {
	const char *name;
	u64 id;
};
struct cgroup;
struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
	u64 serial_nr;
};
enum cgroup_subsys_id {
	cpu_cgrp_id = 1,
	memory_cgrp_id = 4,
	CGROUP_SUBSYS_COUNT = 14,
};
struct cgroup {
	struct cgroup_subsys_state self;
	int level;
	struct kernfs_node *kn;
	struct cgroup_subsys_state *subsys[CGROUP_SUBSYS_COUNT];
	struct cgroup *ancestors[0];
};
struct css_set {
	struct cgroup_subsys_state *subsys[CGROUP_SUBSYS_COUNT];
	struct cgroup *dfl_cgrp;
};
struct page_counter {
	atomic_long_t usage;
	unsigned long low;
	unsigned long high;
	unsigned long max;
	struct page_counter *parent;
};
struct mem_cgroup {
	struct cgroup_subsys_state css;
	struct page_counter memory;
};
enum vm_event_item {
	PGFAULT,
};
enum node_stat_item {
	NR_INACTIVE_ANON,
	NR_INACTIVE_FILE,
	WORKINGSET_REFAULT_ANON,
	WORKINGSET_REFAULT_FILE,
};

/* tasks */
struct super_block {
	dev_t s_dev;
};
struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
};
struct file {
	struct inode *f_inode;
};
enum {
	MM_FILEPAGES,
	MM_ANONPAGES,
	MM_SWAPENTS,
	MM_SHMEMPAGES,
	NR_MM_COUNTERS,
};
struct mm_struct {
	unsigned long hiwater_rss;
	unsigned long arg_start;
	unsigned long arg_end;
	struct percpu_counter rss_stat[NR_MM_COUNTERS];
	struct file *exe_file;
};
typedef struct {
	unsigned long sig[1];
} sigset_t;
struct sigpending {
	sigset_t signal;
};
struct cpumask {
	unsigned long bits[1];
};
struct sched_entity {
	u64 sum_exec_runtime;
};
struct sched_ext_entity {
	u32 flags;
	u32 weight;
	u64 slice;
	u64 dsq_vtime;
};
struct signal_struct {
	struct sigpending shared_pending;
	atomic_t live;
	u64 utime;
	u64 stime;
	unsigned long maxrss;
	short oom_score_adj;
	struct mm_struct *oom_mm;
};
struct sched_info {
	unsigned long long run_delay;
};
struct task_struct {
	unsigned int flags;
	int prio;
	int static_prio;
	unsigned int policy;
	int nr_cpus_allowed;
	const struct cpumask *cpus_ptr;
	unsigned short migration_disabled;
	struct sched_entity se;
	struct sched_ext_entity scx;
	unsigned long jobctl;
	sigset_t blocked;
	struct sigpending pending;
	struct sched_info sched_info;
	struct mm_struct *mm;
	int exit_code;
	unsigned int in_memstall : 1;
	pid_t pid;
	pid_t tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	u64 utime;
	u64 stime;
	u64 start_time;
	char comm[16];
	struct signal_struct *signal;
	struct css_set *cgroups;
};

struct linux_binprm {
	struct file *file;
};
struct seq_file {
	void *private;
};
struct bpf_iter_meta {
	struct seq_file *seq;
	u64 session_id;
	u64 seq_num;
};
struct bpf_iter__cgroup {
	struct bpf_iter_meta *meta;
	struct cgroup *cgroup;
};

#pragma clang attribute pop

/* Kernel functions (kfuncs) callable from several programs. Weak: a kernel without one still loads what does not call it. */
extern void bpf_rcu_read_lock(void) __attribute__((section(".ksyms"), weak));
extern void bpf_rcu_read_unlock(void) __attribute__((section(".ksyms"), weak));
extern struct cgroup *bpf_cgroup_from_id(u64 cgid) __attribute__((section(".ksyms"), weak));
extern struct cgroup *bpf_cgroup_ancestor(struct cgroup *cgrp, int level) __attribute__((section(".ksyms"), weak));
extern void bpf_cgroup_release(struct cgroup *cgrp) __attribute__((section(".ksyms"), weak));

#endif
