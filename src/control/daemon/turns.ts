import { rankOfPriority, type State } from '../policy/index.ts';

interface Waiting {
  session: string;
  /** Aborted when the shim has hung up. */
  signal: AbortSignal;
  go: () => void;
}

/**
 * In what order shims are answered that ask at the same time: to open a call takes the daemon, and the shim and the shell after it, CPU
 * time that ranks above that of calls. Where a session of higher priority lives the others are answered one after the other, each after a
 * rest as long as the answer before took: half of one CPU is what they get, however slow the machine, and who ranks above all of them
 * never waits.
 */
export class Turns {
  readonly #state: () => State;
  readonly #waiting: Waiting[] = [];
  /** An answer is on its way, or the rest after it. */
  #busy = false;

  constructor(state: () => State) {
    this.#state = state;
  }

  /** Resolves when it is the session's turn to have a call opened, or who asked has hung up by then; undefined: at once. */
  take(session: string, signal: AbortSignal): Promise<void> | undefined {
    if (!this.#outranked(session)) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ session, signal, go: resolve });
    if (!this.#busy) this.#next();
    return promise;
  }

  #rank(session: string): number {
    return rankOfPriority[this.#state().sessions[session]?.priority ?? 'low'];
  }

  #outranked(session: string): boolean {
    const rank = this.#rank(session);
    return Object.values(this.#state().sessions).some((other) => rankOfPriority[other.priority] > rank);
  }

  /** The highest rank first, then in order of arrival. */
  #next(): void {
    this.#waiting.sort((a, b) => this.#rank(b.session) - this.#rank(a.session));
    let first = this.#waiting.shift();
    // nothing is opened for who has hung up: that is no turn, and no rest follows it
    for (; first?.signal.aborted; first = this.#waiting.shift()) first.go();
    this.#busy = first !== undefined;
    if (!first) return;
    const begin = performance.now();
    first.go();
    // the answer goes out before the first of these, what it leaves for later is done before the second
    setImmediate(() => setImmediate(() => setTimeout(() => this.#next(), performance.now() - begin)));
  }
}
