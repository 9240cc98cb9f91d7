import { closeSync } from 'node:fs';
import type { Cgroup } from '../cgroup/index.ts';
import { type Controllers, createCallCgroup } from './call.ts';

/** A call's cgroup and its open directory, which whoever holds this closes. */
export interface Made {
  cgroup: Cgroup;
  fd: number;
}

/**
 * The cgroup of a session's next call, made ahead while nobody waits for an answer: making one is the dearest part of a
 * call's beginning. It bears the next call's name (cgroups cannot be renamed) but nothing of a call, above all no xattr:
 * a daemon that finds one removes it and gives its number to the next call.
 */
export class Spare {
  readonly #session: Cgroup;
  #made: (Made & { number: number }) | undefined;

  constructor(session: Cgroup) {
    this.#session = session;
  }

  /** Has the cgroup of call `number` ready. Throws CgroupFileError. */
  make(number: number, controllers: Controllers): void {
    if (this.#made?.number === number) return;
    this.drop();
    const cgroup = createCallCgroup(this.#session, number, controllers);
    try {
      this.#made = { number, cgroup, fd: cgroup.open() };
    } catch (error) {
      cgroup.tryRemove();
      throw error;
    }
  }

  /** The cgroup of call `number` if it is ready; one of another number is of no use any more. */
  take(number: number): Made | undefined {
    const made = this.#made;
    if (made?.number !== number) {
      this.drop();
      return undefined;
    }
    this.#made = undefined;
    return made;
  }

  /** Removes it. */
  drop(): void {
    const made = this.#made;
    if (!made) return;
    this.#made = undefined;
    closeSync(made.fd);
    made.cgroup.tryRemove();
  }
}
