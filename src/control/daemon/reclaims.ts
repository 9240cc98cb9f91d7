import type { Cgroup } from '../cgroup/index.ts';

/** Reclaim of what a finished call left may hold its cgroup up for so long. */
const LIMIT_MS = 2000;

/**
 * Memory being asked back, one at a time for a cgroup: a write that takes longer than the policy's interval would hold one thread of the
 * pool after the other.
 */
export class Reclaims {
  /** Under way, by path. */
  readonly #running = new Map<string, Promise<unknown>>();
  readonly #report: (error: unknown, doing: string) => void;

  constructor(report: (error: unknown, doing: string) => void) {
    this.#report = report;
  }

  /** Asks for bytes. Of a live cgroup the policy asks again; what a finished call has left (`last`) is asked for once, and follows. */
  ask(cgroup: Cgroup, bytes: number, last: boolean): void {
    const { path } = cgroup;
    const before = this.#running.get(path);
    if (before && !last) return;
    const done = (before ?? Promise.resolve())
      .then(() => cgroup.reclaim(bytes))
      .catch((error) => this.#report(error, `reclaim from ${path}`))
      .finally(() => {
        if (this.#running.get(path) === done) this.#running.delete(path);
      });
    this.#running.set(path, done);
  }

  /** Resolves when all that was asked for of this cgroup is done, or took too long. */
  async settled({ path }: Cgroup): Promise<void> {
    const running = this.#running.get(path);
    if (!running) return;
    const limit = Promise.withResolvers<void>();
    const timer = setTimeout(limit.resolve, LIMIT_MS);
    await Promise.race([running, limit.promise]);
    clearTimeout(timer);
  }
}
