import { closeSync, constants, existsSync, mkdirSync, openSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { AcgError } from '../../model/index.ts';
import { getXattr, listXattr, removeXattr, setXattr, type Watch } from '../native/index.ts';
import { CgroupFileError, readText, writeText, writeTextAsync } from './file.ts';
import { type FileInput, type FileValue, type ReadableFile, readers, type WritableFile, writers } from './files.ts';
import { killTree } from './kill.ts';
import { type StallTrigger, watchPressure } from './pressure.ts';
import { type Reclaimed, reclaim } from './reclaim.ts';
import { removeTree, tryRemove } from './remove.ts';
import { until, watchFile } from './wait.ts';

const NOTES = 'user.agentcgroup.';

/** Did a write take effect? `enforced: false` when this cgroup has no such file: the tree still works, without that limit. */
export type Written = { enforced: true } | { enforced: false; file: string; why: string };

/** Lowering a limit makes the writer reclaim, for seconds if need be; kernels from 7.3 on leave that to the cgroup itself when asked so. */
const lazily = (file: string) => (file === 'memory.high' || file === 'memory.max' ? constants.O_NONBLOCK : 0);

/**
 * One cgroup v2 directory. Holds only its path: objects are free to make, and two of the same path are the same cgroup.
 * Synchronous methods are a few syscalls; what may take long returns a promise. Every refusal of the kernel is a
 * CgroupFileError; a cgroup that was removed meanwhile is `undefined` where it is read and `error.gone` where it is written.
 */
export class Cgroup {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** The directory's own name. */
  get name(): string {
    return basename(this.path);
  }

  get parent(): Cgroup {
    return new Cgroup(dirname(this.path));
  }

  /** The cgroup id, as BPF programs and `bpf_get_current_cgroup_id` see it: the inode number. Ids are reused after removal. */
  get id(): bigint {
    return this.#attempt('stat', () => statSync(this.path, { bigint: true }).ino);
  }

  exists(): boolean {
    return existsSync(this.path);
  }

  /** The cgroup of that name below this one, which need not exist. Throws ACG_CGROUP_NAME for anything that is no plain name. */
  child(name: string): Cgroup {
    if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,126}$/.test(name))
      throw new AcgError('ACG_CGROUP_NAME', JSON.stringify(name.slice(0, 200)));
    return new Cgroup(join(this.path, name));
  }

  /** Makes the cgroup of that name below this one. CgroupFileError EEXIST when it is there already. */
  create(name: string): Cgroup {
    const child = this.child(name);
    try {
      mkdirSync(child.path, 0o755);
    } catch (error) {
      throw new CgroupFileError('mkdir', child.path, error);
    }
    return child;
  }

  /** The cgroups directly below, none when this one is gone. */
  children(): Cgroup[] {
    try {
      return readdirSync(this.path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => new Cgroup(join(this.path, entry.name)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw new CgroupFileError('list', this.path, error, this.path);
    }
  }

  /** Every cgroup below this one, children before their parents, and this one last. */
  *walk(): Generator<Cgroup> {
    for (const child of this.children()) yield* child.walk();
    yield this;
  }

  /** An open directory, for CLONE_INTO_CGROUP, BPF and xattrs; it keeps naming this cgroup, and the caller closes it. */
  open(): number {
    return this.#attempt('open', () => openSync(this.path, constants.O_RDONLY | constants.O_DIRECTORY));
  }

  /** Runs `use` with the open directory and closes it. */
  withFd<T>(use: (fd: number) => T): T {
    const fd = this.open();
    try {
      return use(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** The value of a file; undefined when this cgroup has none: controller off, kernel too old, or cgroup removed. */
  read<F extends ReadableFile>(file: F): FileValue<F> | undefined {
    const path = join(this.path, file);
    const text = readText(path);
    return text === undefined ? undefined : (readers[file](text, path) as FileValue<F>);
  }

  /** Sets a file. `memory.max` and `memory.high` do not wait for reclaim on kernels that allow it (7.3): use `writeSlowly` to lower them elsewhere. */
  write<F extends WritableFile>(file: F, value: FileInput<F>): Written {
    try {
      writeText(join(this.path, file), (writers[file] as (v: FileInput<F>) => string)(value), lazily(file));
      return { enforced: true };
    } catch (error) {
      return this.#unenforced(file, error);
    }
  }

  /** The same off the event loop: for limits lowered below what is in use, where older kernels reclaim inside the write. */
  async writeSlowly<F extends WritableFile>(file: F, value: FileInput<F>): Promise<Written> {
    try {
      await writeTextAsync(join(this.path, file), (writers[file] as (v: FileInput<F>) => string)(value), lazily(file));
      return { enforced: true };
    } catch (error) {
      return this.#unenforced(file, error);
    }
  }

  /** The processes in exactly this cgroup. */
  procs(): number[] {
    return this.read('cgroup.procs') ?? [];
  }

  /** Is a live process in this cgroup or below? False when it is gone. */
  populated(): boolean {
    return this.read('cgroup.events')?.populated ?? false;
  }

  /**
   * Kills every process of the subtree, forks included. Does not wait: see `waitEmpty`. Kernels before 5.14 have no
   * cgroup.kill: there the subtree is frozen, so that nothing forks away, and each process gets SIGKILL. Gone is fine.
   *
   * A killed cgroup is used up: remove it. Some kernels (seen on 6.18, gone in 7.3) kill whatever is born into it later
   * by CLONE_INTO_CGROUP, and whatever a process in it bears into another cgroup.
   */
  kill(): void {
    killTree(this);
  }

  /** Resolves when no live process is left in the subtree, or the cgroup is gone. Event driven; rejects when the signal aborts. */
  waitEmpty(signal?: AbortSignal): Promise<void> {
    return until(join(this.path, 'cgroup.events'), () => (this.populated() ? undefined : true), signal).then(() => {});
  }

  /** Stops the subtree; resolves when every process has stopped, or with false when the cgroup is gone. */
  freeze(signal?: AbortSignal): Promise<boolean> {
    return this.#freezing(true, signal);
  }

  /** Lets the subtree run again; resolves when it does. An ancestor that is frozen keeps it stopped: then only the signal ends the wait. */
  thaw(signal?: AbortSignal): Promise<boolean> {
    return this.#freezing(false, signal);
  }

  /** Calls `onChange` when the kernel notifies the file. Arm, then read. Close the result. */
  watch(file: 'cgroup.events' | 'memory.events' | 'memory.events.local' | 'pids.events', onChange: () => void) {
    return watchFile(join(this.path, file), onChange);
  }

  /**
   * Removes the subtree, deepest first. Kills nothing: a populated cgroup is waited for until the signal aborts. Resolves
   * when the directory is gone, whoever removed it.
   */
  remove(signal?: AbortSignal): Promise<void> {
    return removeTree(this, signal);
  }

  /** One rmdir: true when the cgroup is gone, false when processes or children are in the way. */
  tryRemove(): boolean {
    return tryRemove(this.path);
  }

  /** `kill`, `waitEmpty`, `remove`: the end of a tool call. */
  async end(signal?: AbortSignal): Promise<void> {
    this.kill();
    await this.waitEmpty(signal);
    await this.remove(signal);
  }

  /**
   * Asks for `bytes` of this subtree's memory back (memory.reclaim, 5.19). Runs in the thread pool and may take long;
   * a process of ours in the same subtree would be reclaimed from too.
   */
  reclaim(bytes: number): Promise<Reclaimed> {
    return reclaim(this.path, bytes);
  }

  /** A note kept on the cgroup itself (xattr `user.agentcgroup.<name>`): it outlives the daemon and dies with the cgroup. */
  note(name: string): string | undefined {
    return this.#attempt('getxattr', () => getXattr(this.path, NOTES + name)?.toString('utf8'));
  }

  /** Keeps a note. ENOSPC above 128 attributes or 128 KiB in one cgroup. */
  setNote(name: string, value: string): void {
    this.#attempt('setxattr', () => setXattr(this.path, NOTES + name, value));
  }

  /** All notes by name, without the prefix. */
  notes(): Map<string, string> {
    return this.#attempt('listxattr', () => {
      const names = listXattr(this.path).filter((name) => name.startsWith(NOTES));
      return new Map(
        names.flatMap((name) => {
          const value = getXattr(this.path, name);
          return value === undefined ? [] : [[name.slice(NOTES.length), value.toString('utf8')]];
        }),
      );
    });
  }

  /** Was there one to remove? */
  removeNote(name: string): boolean {
    return this.#attempt('removexattr', () => removeXattr(this.path, NOTES + name));
  }

  /**
   * Calls `onStall` at most once a window while tasks of the subtree stalled longer than `stallUsec` within `windowUsec`
   * (a PSI trigger). undefined: no PSI here. Windows: up to 10 s; without CAP_SYS_RESOURCE whole multiples of 2 s (EINVAL
   * else). When the cgroup goes, the watch falls silent; close it all the same.
   */
  watchPressure(
    file: 'memory.pressure' | 'cpu.pressure' | 'io.pressure',
    trigger: StallTrigger,
    onStall: () => void,
  ): Watch | undefined {
    return watchPressure(join(this.path, file), trigger, onStall);
  }

  async #freezing(frozen: boolean, signal?: AbortSignal): Promise<boolean> {
    const written = this.write('cgroup.freeze', frozen);
    if (!written.enforced) throw new AcgError('ACG_CGROUP_FILE', written.why);
    return until(
      join(this.path, 'cgroup.events'),
      () => {
        const events = this.read('cgroup.events');
        if (events === undefined) return false;
        return events.frozen === frozen ? true : undefined;
      },
      signal,
    );
  }

  #unenforced(file: WritableFile, error: unknown): Written {
    if (!(error instanceof CgroupFileError) || error.errno !== 'ENOENT' || error.gone) throw error;
    const controller = file.slice(0, file.indexOf('.'));
    const why =
      controller === 'cgroup' || this.read('cgroup.controllers')?.includes(controller)
        ? `this kernel has no ${file}`
        : `the ${controller} controller is not enabled for ${this.path}`;
    return { enforced: false, file, why };
  }

  #attempt<T>(operation: string, action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw new CgroupFileError(operation, this.path, error, this.path);
    }
  }
}
