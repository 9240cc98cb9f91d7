// clone3 for a child born inside a cgroup, sharing the caller's memory until it execs (as vfork does).
// Neither glibc nor musl has a wrapper that takes a function, so the few instructions are here.
// SPDX-License-Identifier: Apache-2.0
#ifndef ACG_CLONE3_H
#define ACG_CLONE3_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#ifndef SYS_clone3
#define SYS_clone3 435
#endif

// struct clone_args of <linux/sched.h>, which a musl installation does not have.
struct acg_clone_args {
  uint64_t flags;
  uint64_t pidfd;
  uint64_t child_tid;
  uint64_t parent_tid;
  uint64_t exit_signal;
  uint64_t stack;
  uint64_t stack_size;
  uint64_t tls;
  uint64_t set_tid;
  uint64_t set_tid_size;
  uint64_t cgroup;
};

#define ACG_CLONE_VM 0x00000100ULL
#define ACG_CLONE_PIDFD 0x00001000ULL
#define ACG_CLONE_VFORK 0x00004000ULL
#define ACG_CLONE_INTO_CGROUP 0x200000000ULL

// Runs fn(arg) in the child, on the stack of args; what fn returns is the child's exit status.
// Returns the child's pid, or -errno. fn may use async-signal-safe functions only: it runs in the parent's memory.
static inline long acg_clone3(struct acg_clone_args *args, int (*fn)(void *), void *arg) {
#if defined(__x86_64__)
  register long ret __asm__("rax") = SYS_clone3;
  register int (*fn_reg)(void *) __asm__("r8") = fn;
  register void *arg_reg __asm__("r9") = arg;
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r9, %%rdi\n\t"
      "call *%%r8\n\t"
      "mov %%eax, %%edi\n\t"
      "mov $60, %%eax\n\t"  // exit
      "syscall\n\t"
      "hlt\n"
      "1:"
      : "+r"(ret)
      : "D"(args), "S"(sizeof *args), "r"(fn_reg), "r"(arg_reg)
      : "rcx", "r11", "memory");
  return ret;
#elif defined(__aarch64__)
  register long x0 __asm__("x0") = (long)args;
  register long x1 __asm__("x1") = (long)sizeof *args;
  register long x8 __asm__("x8") = SYS_clone3;
  register int (*fn_reg)(void *) __asm__("x10") = fn;
  register void *arg_reg __asm__("x11") = arg;
  __asm__ volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x30, xzr\n\t"
      "mov x0, x11\n\t"
      "blr x10\n\t"
      "mov x8, #93\n\t"  // exit
      "svc #0\n\t"
      "brk #1\n"
      "1:"
      : "+r"(x0)
      : "r"(x1), "r"(x8), "r"(fn_reg), "r"(arg_reg)
      : "memory", "cc");
  return x0;
#else
#error "agentcgroup runs on x86_64 and aarch64"
#endif
}

#endif
