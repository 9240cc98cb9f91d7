import type { DaemonClient } from '../../client/index.ts';
import { readMessages } from './requests.ts';

/** Requests without an answer that are remembered; beyond that a request gets no record. */
const MOST_OPEN = 1000;
/** Of what a tool is called, this much goes into its record. */
const LONGEST_NAME = 100;

/**
 * Makes a call record of each `tools/call` that passes by. Nothing waits for it: a daemon that is slow, gone or restarted costs
 * records, never a message.
 */
export class CallRecords {
  readonly #client: DaemonClient;
  readonly #session: string;
  readonly #open = new Map<string, Promise<string | undefined>>();
  readonly #ends = new Set<Promise<unknown>>();
  #lastOpening: Promise<string | undefined> = Promise.resolve(undefined);

  constructor(client: DaemonClient, session: string) {
    this.#client = client;
    this.#session = session;
  }

  fromClient(line: string): void {
    for (const event of readMessages(line, 'client')) {
      if (event.kind === 'cancel') this.#end(event.id, true);
      else if (event.kind === 'call' && !this.#open.has(event.id) && this.#open.size < MOST_OPEN) {
        const tool = `mcp:${event.tool.slice(0, LONGEST_NAME)}`;
        const ask = () => this.#client.openCall(this.#session, { tool, via: 'mcp', contained: false });
        // one after the other: the daemon numbers requests in the order they reach it, and each has a connection of its own
        this.#lastOpening = this.#lastOpening.then(ask).then(
          ({ call }) => call,
          () => undefined,
        );
        this.#open.set(event.id, this.#lastOpening);
      }
    }
  }

  fromServer(line: string): void {
    for (const event of readMessages(line, 'server')) if (event.kind === 'answer') this.#end(event.id, event.isError);
  }

  /** The server is gone: what it has not answered has failed. Resolves when all is told. */
  async close(): Promise<void> {
    for (const id of [...this.#open.keys()]) this.#end(id, true);
    await Promise.all(this.#ends);
  }

  #end(id: string, isError: boolean): void {
    const opening = this.#open.get(id);
    if (!opening) return;
    this.#open.delete(id);
    const end = opening
      .then((call) => (call === undefined ? undefined : this.#client.endCall(call, { isError })))
      .catch(() => {})
      .finally(() => this.#ends.delete(end));
    this.#ends.add(end);
  }
}
