import type { Described } from './layout.ts';

/** A program as this release knows it: one file of this room each. */
export interface ProgramSpec {
  /** prebuilt/bpf/NAME.bpf.o */
  name: string;
  /** The structures it shares with us, checked against the object. */
  structs: readonly Described[];
  /** Hooks (programs or struct_ops maps of the object) without which the rest is no use. Others may be missing on some kernel. */
  essential: readonly string[];
}

export interface LoadOptions {
  /** Directory in a BPF file system, or false: nothing is pinned, and everything ends with this process. */
  pinRoot?: string | false;
  /** `const volatile` variables, set before the verifier sees the program (it removes branches they rule out). */
  constants?: Record<string, number | bigint>;
  /** Sizes of maps. Shared maps that exist keep theirs. */
  maxEntries?: Record<string, number>;
  /** Hooks not wanted: programs, or struct_ops maps. */
  off?: readonly string[];
  /** Struct_ops maps to load but not attach yet; `attach(name)` does it. */
  later?: readonly string[];
  /** The object itself instead of the shipped one. */
  object?: Uint8Array;
}

/** One attach point of a loaded program. */
export interface Hook {
  name: string;
  /** Where it attaches: the section name, as in `tp_btf/sched_process_exec`. */
  place: string;
  on: boolean;
  /** Why it is not on: the kernel's words. */
  why?: string;
}
