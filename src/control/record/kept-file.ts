import { closeSync, openSync, readSync } from 'node:fs';

/** As long as the longest file read here: memory.stat of a cgroup is about 1.5 KiB, smaps_rollup 1 KiB. */
const buffer = Buffer.allocUnsafe(64 * 1024);

/** ENODEV: the cgroup is gone. ESRCH: the process is. ENOENT: either, before it could be opened. */
const GONE = new Set(['ENODEV', 'ESRCH', 'ENOENT']);
/** Not there, not supported here, or not for us: read without it. */
const ABSENT = new Set([...GONE, 'EACCES', 'EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOTDIR']);

/**
 * A kernel file that is opened once and read again and again from its start (pread): half the cost of opening it each
 * time, and it keeps naming the same cgroup or process when the path is reused.
 */
export class KeptFile {
  readonly path: string;
  /** The cgroup or process it belongs to is gone. */
  gone = false;
  private fd: number | undefined;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.fd = fd;
  }

  /** Undefined when there is no such file here. Other errors of the kernel are thrown as they are. */
  static open(path: string): KeptFile | undefined {
    try {
      return new KeptFile(path, openSync(path, 'r'));
    } catch (error) {
      if (ABSENT.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw error;
    }
  }

  /** What it says now; undefined when its cgroup or process is gone, or the kernel refuses this one file. */
  text(): string | undefined {
    const length = this.read();
    return length < 0 ? undefined : buffer.toString('latin1', 0, length);
  }

  /** The number that stands `from` bytes into it, taken without making a string: this is read most often. */
  number(from = 0): number | undefined {
    const length = this.read();
    let value = 0;
    let at = from;
    for (; at < length; at++) {
      const digit = buffer[at]! - 48;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    return at > from ? value : undefined;
  }

  /** Reads it into the buffer all files share; the length, or -1. */
  private read(): number {
    if (this.fd === undefined) return -1;
    try {
      return readSync(this.fd, buffer, 0, buffer.length, 0);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (!ABSENT.has(code)) throw error;
      this.gone = GONE.has(code);
      this.close();
      return -1;
    }
  }

  close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }
}

/** The number after `key ` at the start of a line: memory.stat, cpu.stat and their like, without parsing the rest. */
export function field(text: string, key: string): number | undefined {
  const at = text.startsWith(`${key} `) ? 0 : text.indexOf(`\n${key} `) + 1;
  if (at === 0 && !text.startsWith(`${key} `)) return undefined;
  const value = Number.parseInt(text.slice(at + key.length + 1, at + key.length + 41), 10);
  return Number.isNaN(value) ? undefined : value;
}
