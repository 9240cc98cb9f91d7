/**
 * The node of a run: one cgroup below the mount, in which an arm puts its sessions. Peers know nothing of our own tree, so this
 * writes the kernel's files itself, as an operator's script would.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AcgError } from '../../model/index.ts';

export const MOUNT = '/sys/fs/cgroup';
const CONTROLLERS = ['memory', 'cpu', 'pids', 'io'];

/** `some` and `full` of a pressure file, total microseconds. */
export interface PressureTotals {
  memorySome: number;
  memoryFull: number;
  cpuSome: number;
  ioFull: number;
}

export class NodeTree {
  readonly path: string;

  constructor(name = 'agentcgroup-evaluate') {
    this.path = join(MOUNT, name);
  }

  /** Makes the node with its limits. */
  create(memory: number, swap: number): void {
    const controllers = checkMachine();
    const enable = CONTROLLERS.filter((c) => controllers.includes(c)).map((c) => `+${c}`);
    this.#write(MOUNT, 'cgroup.subtree_control', enable.join(' '));
    mkdirSync(this.path);
    this.#write(this.path, 'cgroup.subtree_control', enable.join(' '));
    this.#write(this.path, 'memory.max', String(memory));
    if (existsSync(join(this.path, 'memory.swap.max'))) this.#write(this.path, 'memory.swap.max', String(swap));
  }

  /** A session's cgroup with the files an arm wants in it. */
  session(name: string, files: Record<string, string | number>): string {
    const path = join(this.path, name);
    mkdirSync(path);
    for (const [file, value] of Object.entries(files)) this.#write(path, file, String(value));
    return path;
  }

  /** OOM kills in the tree since it was made: cgroups that are gone count too. */
  oomKills(): { kills: number; groups: number } {
    const events = this.#read('memory.events');
    return { kills: field(events, 'oom_kill'), groups: field(events, 'oom_group_kill') };
  }

  pressure(): PressureTotals {
    const total = (file: string, line: string) =>
      Number(new RegExp(`^${line} .*total=(\\d+)`, 'm').exec(this.#read(file))?.[1] ?? Number.NaN);
    return {
      memorySome: total('memory.pressure', 'some'),
      memoryFull: total('memory.pressure', 'full'),
      cpuSome: total('cpu.pressure', 'some'),
      ioFull: total('io.pressure', 'full'),
    };
  }

  kill(): void {
    if (existsSync(this.path)) this.#write(this.path, 'cgroup.kill', '1');
  }

  /** Kills what is left and removes the tree. Throws ACG_CGROUP_FILE when it is still there after 10 s. */
  async remove(): Promise<void> {
    for (const limit = performance.now() + 10_000; existsSync(this.path); await sleep(20)) {
      try {
        this.kill();
        removeTree(this.path);
      } catch (cause) {
        if (performance.now() > limit)
          throw new AcgError('ACG_CGROUP_FILE', `${this.path} cannot be removed: ${(cause as Error).message}`, {
            cause,
          });
      }
    }
  }

  #read(file: string): string {
    return readFileSync(join(this.path, file), 'utf8');
  }

  #write(dir: string, file: string, value: string): void {
    try {
      writeFileSync(join(dir, file), value);
    } catch (cause) {
      throw new AcgError('ACG_CGROUP_FILE', `${join(dir, file)} refused ${JSON.stringify(value)}`, { cause });
    }
  }
}

/** The controllers of this machine. Throws ACG_NOT_ROOT, or ACG_NO_CGROUP2 when experiments cannot be made on it. */
export function checkMachine(): string[] {
  if (process.getuid?.() !== 0) throw new AcgError('ACG_NOT_ROOT', 'experiments make cgroups');
  const file = join(MOUNT, 'cgroup.controllers');
  const controllers = existsSync(file) ? readFileSync(file, 'utf8').split(/\s+/) : [];
  if (!controllers.includes('memory'))
    throw new AcgError(
      'ACG_NO_CGROUP2',
      `${MOUNT} has no memory controller of cgroup v2; without --here, in the lab, there is one`,
    );
  return controllers;
}

function removeTree(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeTree(join(path, entry.name));
  rmdirSync(path);
}

const field = (text: string, name: string): number => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
