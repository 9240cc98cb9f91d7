import type { Logger } from 'pino';
import type { KernelHealth } from '../../../model/index.ts';
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
  #backOff = REARM_MS;
  #rearmAt: number | undefined;

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
      if (this.#is && now - this.#since > SETTLED_MS) this.#backOff = REARM_MS;
      return !this.#is;
    }
    if (this.#rearmAt === undefined) {
      this.#out(exit, now);
      return true;
    }
    if (now < this.#rearmAt) return false;
    this.#rearmAt = undefined;
    scheduler.rearm();
    if (!scheduler.exit()) this.#log.info('the scheduler is in charge again');
    return true;
  }

  #out(exit: SchedulerExit, now: number): void {
    const { exitedNs, error, reason, message } = exit;
    this.#exits++;
    this.#exit = { t: epochMs(exitedNs), error, reason, message };
    this.#rearmAt = now + this.#backOff;
    this.#log[error ? 'error' : 'warn'](
      { reason, message, rearmInMs: this.#backOff },
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
    return `the scheduler is out: ${reason}${message && ` (${message})`}`;
  }
}
