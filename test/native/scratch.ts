import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where this machine has cgroup2 mounted, or undefined. */
export function cgroup2Mount(): string | undefined {
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((entry) => / - cgroup2 /.test(entry));
  return line?.split(' ')[4];
}

/** A cgroup of the test's own, and a way to be rid of it with everything inside. */
export function scratchCgroup(name: string): { path: string; child(name: string): string; remove(): Promise<void> } {
  const path = join(cgroup2Mount()!, `acg-test-${name}-${process.pid}`);
  const made = [path];
  mkdirSync(path);
  return {
    path,
    child(relative) {
      const child = join(path, relative);
      mkdirSync(child);
      made.push(child);
      return child;
    },
    async remove() {
      writeFileSync(join(path, 'cgroup.kill'), '1');
      for (let i = 0; i < 200 && readFileSync(join(path, 'cgroup.events'), 'utf8').includes('populated 1'); i++)
        await new Promise((done) => setTimeout(done, 10));
      for (const directory of made.reverse()) rmdirSync(directory);
    },
  };
}

/** A temporary directory that is removed at the end of the scope. */
export function scratchDirectory(): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'acg-test-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** What /proc/PID/status has after a field's name; undefined when the process is gone. */
export function statusOf(pid: number, field: string): string | undefined {
  try {
    return new RegExp(`^${field}:\\s+(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

/**
 * Is the process alive? Killed, it is for a moment yet, also when its cgroup holds nobody any more: the kernel takes it out of
 * that first. And dead it may be there for whoever inherited it to reap.
 */
export const isAlive = (pid: number): boolean => !/^([ZX]|$)/.test(statusOf(pid, 'State') ?? '');

/** Why the tests of this folder cannot run here, or false. */
export const cannotRun: string | false = !cgroup2Mount()
  ? 'no cgroup2 mount'
  : process.getuid?.() !== 0
    ? 'not root'
    : false;
