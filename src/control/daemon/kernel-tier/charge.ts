import type { Logger } from 'pino';
import { asAcgError, type KernelHealth } from '../../../model/index.ts';
import { epochMs, type Scheduler, type SchedulerExit } from '../../kernel/index.ts';

/** After the scheduler was thrown out it is put in charge again, after this long at first, then twice as long each time. */
const REARM_MS = 1000;
const REARM_MAX_MS = 300_000;
/** In charge for this long, what threw it out before is forgotten. */
const SETTLED_MS = 600_000;

/** What is asked of the scheduler. */
type Armed = Pick<Scheduler, 'exit' | 'rearm'>;

/** Whether the scheduler is in charge, and when it will be again after it was thrown out. Times: `performance.now()`. */
export class Charge {
  readonly #log: Pick<Logger, 'info' | 'warn' | 'error'>;
  #is = false;
  #since = 0;
  #exits = 0;
  #exit: KernelHealth['scheduler']['exit'];
  /** When the last exit was, as the kernel noted it: a scheduler that is still out is not out once more. */
  #exitedNs: number | undefined;
  #backOff = REARM_MS;
  /** How long was, or is, waited since the last exit. */
  #wait = 0;
  #rearmAt: number | undefined;
  /** Why it could not be put in charge again. */
  #refused: string | undefined;

  constructor(log: Pick<Logger, 'info' | 'warn' | 'error'>) {
    this.#log = log;
  }

  /** Is this scheduler, if there is one, in charge now? */
  read(scheduler: Armed | undefined, now = performance.now()): boolean {
    const is = scheduler !== undefined && scheduler.exit() === undefined;
    if (is !== this.#is) this.#since = now;
    this.#is = is;
    return is;
  }

  /** Looks again, and puts it in charge again when it is time. True: who is in charge may have changed. */
  watch(scheduler: Armed, now = performance.now()): boolean {
    const exit = scheduler.exit();
    if (!exit) {
      this.#rearmAt = undefined;
      if (this.#is && now - this.#since > SETTLED_MS) this.#backOff = REARM_MS;
      return !this.#is;
    }
    if (exit.exitedNs !== this.#exitedNs) {
      this.#out(exit, now);
      return true;
    }
    if (now < (this.#rearmAt ?? now)) return false;
    return this.#rearm(scheduler, now);
  }

  #rearm(scheduler: Armed, now: number): boolean {
    this.#rearmAt = now + this.#wait;
    try {
      scheduler.rearm();
    } catch (error) {
      // as a rule another scheduler has the machine: ours has done nothing wrong meanwhile, so it waits no longer than before
      const { message } = asAcgError(error);
      if (message !== this.#refused)
        this.#log.warn({ why: message }, 'the scheduler cannot be put in charge again yet');
      this.#refused = message;
      return false;
    }
    this.#refused = undefined;
    if (!scheduler.exit()) {
      this.#rearmAt = undefined;
      this.#log.info('the scheduler is in charge again');
    }
    return true;
  }

  #out(exit: SchedulerExit, now: number): void {
    const { exitedNs, error, reason, message } = exit;
    this.#exits++;
    this.#exit = { t: epochMs(exitedNs), error, reason, message };
    this.#exitedNs = exitedNs;
    this.#refused = undefined;
    this.#wait = this.#backOff;
    this.#rearmAt = now + this.#wait;
    this.#log[error ? 'error' : 'warn'](
      { reason, message, rearmInMs: this.#wait },
      'the scheduler is out: all tasks run under the fair class, growth is throttled by cgroup files',
    );
    this.#backOff = Math.min(this.#backOff * 2, REARM_MAX_MS);
  }

  /** The scheduler is taken out on purpose: nobody puts it in charge again. */
  drop(): void {
    this.#rearmAt = undefined;
  }

  health(now = performance.now()): Omit<KernelHealth['scheduler'], 'mode'> {
    return {
      inCharge: this.#is,
      exits: this.#exits,
      ...(this.#exit && { exit: this.#exit }),
      ...(this.#rearmAt !== undefined && { rearmAt: Date.now() + this.#rearmAt - now }),
    };
  }

  /** What is wrong, in words; undefined when nothing is. */
  note(): string | undefined {
    if (this.#rearmAt === undefined || !this.#exit) return undefined;
    const { reason, message } = this.#exit;
    const why = this.#refused === undefined ? '' : `; it cannot be put in charge again yet: ${this.#refused}`;
    return `the scheduler is out: ${reason}${message && ` (${message})`}${why}`;
  }
}
