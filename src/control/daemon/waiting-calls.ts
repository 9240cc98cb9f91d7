import { AcgError } from '../../model/index.ts';
import type { PolicyEvent } from '../policy/index.ts';
import type { Call, Explanations } from './call.ts';
import type { PolicyDriver } from './policy-driver.ts';
import type { Session } from './session.ts';

/** A call that has asked to start and has no answer yet. */
interface Waiting {
  session: Session;
  explanations: Explanations;
  start(): void;
  refuse(error: AcgError): void;
}

/** Calls between the question whether they may start and its answer. */
export class WaitingCalls {
  readonly #policy: PolicyDriver;
  readonly #waiting = new Map<string, Waiting>();

  constructor(policy: PolicyDriver) {
    this.#policy = policy;
  }

  /** The policy lets a waiting call in. */
  admit(call: string): void {
    this.#waiting.get(call)?.start();
  }

  /** The policy turns a waiting call away. */
  refuse(call: string, text: string): void {
    this.#waiting.get(call)?.refuse(new AcgError('ACG_LIMIT', text));
  }

  /** No call of this session starts any more. */
  refuseAll(session: Session): void {
    for (const waiting of this.#waiting.values())
      if (waiting.session === session) waiting.refuse(new AcgError('ACG_NO_SESSION', `${session.id} is ending`));
  }

  /** Why something was decided about a call that still waits. False when it does not wait. */
  explain(call: string, explanation: { t: number; text: string }): boolean {
    const waiting = this.#waiting.get(call);
    waiting?.explanations.push(explanation);
    return waiting !== undefined;
  }

  /**
   * Asks the policy; what it says of the call until it is let in is added to `explanations`. `make` makes the call at the moment it is let in, so that what the same step says of it finds its cgroup. An aborted
   * `signal` takes the question back. Throws ACG_LIMIT, ACG_NO_SESSION, ACG_NO_CALL, and what `make` throws.
   */
  ask(
    session: Session,
    request: Extract<PolicyEvent, { type: 'call-request' }>,
    explanations: Explanations,
    make: (waitedMs: number) => Call,
    signal: AbortSignal,
  ): Promise<Call> {
    const { call: id } = request;
    const { promise, resolve, reject } = Promise.withResolvers<Call>();
    const asked = performance.now();
    const settle = (outcome: () => void) => {
      if (!this.#waiting.delete(id)) return;
      signal.removeEventListener('abort', takeBack);
      outcome();
    };
    const takeBack = () =>
      settle(() => {
        this.#policy.send({ type: 'call-cancel', call: id });
        reject(new AcgError('ACG_NO_CALL', `${id} was given up while it waited`));
      });
    // an answer in the same step is no wait, however slow the machine
    let inStep = true;
    this.#waiting.set(id, {
      session,
      explanations,
      refuse: (error) => settle(() => reject(error)),
      start: () =>
        settle(() => {
          try {
            const call = make(inStep ? 0 : performance.now() - asked);
            call.explain(...explanations);
            resolve(call);
          } catch (error) {
            this.#policy.send({ type: 'call-end', call: id });
            reject(error);
          }
        }),
    });
    this.#policy.send(request);
    inStep = false;
    if (signal.aborted) takeBack();
    else if (this.#waiting.has(id)) signal.addEventListener('abort', takeBack);
    return promise;
  }
}
