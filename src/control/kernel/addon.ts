import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { AcgError } from '../../model/index.ts';
import { prebuiltDirectory } from '../native/index.ts';

/** What native/bpf exports, as it is. Descriptors are the caller's own; the files of this room give them names and owners. */
export interface BpfAddon {
  libbpf: string;
  BpfObject: new (bytes: Uint8Array, name: string) => BpfObject;
  Ring: new (fd: number, receive: (batch: Uint8Array) => void) => Ring;
  close(fd: number): void;
  pin(fd: number, path: string): void;
  openPin(path: string): number | undefined;
  isBpffs(path: string): boolean;
  mountBpffs(path: string): void;
  programInfo(fd: number): ProgramInfo;
  mapInfo(fd: number): MapInfo;
  linkInfo(fd: number): { id: number; type: number; programId: number };
  openProgram(id: number): number;
  linkStructOps(mapFd: number, cgroupFd?: number, flags?: number): number;
  enableRunStats(): number;
  iterateCgroups(programFd: number, cgroupFd: number): string;
  openDirectory(path: string): number;
  fileIdentity(path: string): { dev: number; ino: number };
  possibleCpus(): number;
  pageSize(): number;
  lookup(fd: number, key: Uint8Array, valueBytes: number): Uint8Array | undefined;
  update(fd: number, key: Uint8Array, value: Uint8Array, flags: number): void;
  remove(fd: number, key: Uint8Array): boolean;
  keys(fd: number, keyBytes: number, most: number): Uint8Array;
  batch(
    fd: number,
    keyBytes: number,
    valueBytes: number,
    most: number,
  ): { keys: Uint8Array; values: Uint8Array; count: number };
  kernelType(kind: 'struct' | 'func' | 'typedef' | 'enum', name: string): string[] | undefined;
}

export interface BpfObject {
  programs(): { name: string; section: string; autoload: boolean }[];
  maps(): { name: string; type: number; keySize: number; valueSize: number; maxEntries: number }[];
  variables(): { section: string; name: string; offset: number; size: number }[];
  structs(prefix: string): Record<string, Layout>;
  setAutoload(program: string, on: boolean): void;
  setAutocreate(map: string, on: boolean): void;
  setMaxEntries(map: string, entries: number): void;
  setInitial(map: string, offset: number, bytes: Uint8Array): void;
  reuseMap(map: string, fd: number): void;
  load(): void;
  attach(program: string): number;
  attachStructOps(map: string): number;
  fillStructOps(map: string): void;
  programFd(name: string): number;
  mapFd(name: string): number;
  close(): void;
}

/** A structure as the object's own BTF has it. */
export interface Layout {
  size: number;
  fields: { name: string; offset: number; size: number }[];
}

export interface Ring {
  drain(): number;
  unref(): void;
  close(): void;
}

export interface ProgramInfo {
  id: number;
  type: number;
  name: string;
  instructions: number;
  /** Counted and timed only while run statistics are on (`kernel.bpf_stats_enabled`). */
  runs: number;
  runNs: number;
  misses: number;
}

export interface MapInfo {
  id: number;
  type: number;
  name: string;
  keySize: number;
  valueSize: number;
  maxEntries: number;
}

/** What the addon throws: errno's name, the verifier's log, libbpf's own messages. */
export interface BpfFailure extends Error {
  code: string;
  syscall: string;
  log: string;
  messages: string;
}

export const isBpfFailure = (error: unknown): error is BpfFailure =>
  error instanceof Error && 'syscall' in error && 'log' in error && 'messages' in error;

let loaded: BpfAddon | undefined;

/** The addon, loaded at its first use. Throws ACG_NATIVE_MISSING. */
export function bpf(): BpfAddon {
  if (loaded) return loaded;
  const path = join(prebuiltDirectory, 'agentcgroup-bpf.node');
  try {
    loaded = createRequire(import.meta.url)(path) as BpfAddon;
  } catch (cause) {
    const why = existsSync(path) ? `${path}: ${cause instanceof Error ? cause.message : cause}` : path;
    throw new AcgError('ACG_NATIVE_MISSING', why, { cause });
  }
  return loaded;
}
