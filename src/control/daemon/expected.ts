/** Announcements older than this have missed their call: the agent has changed its mind, or the command went another way. */
const EXPIRES_MS = 60_000;
const MOST = 256;
/** The shim cuts a long command: what both sides have of it is compared. */
const COMPARED = 16 * 1024;

/** Calls that an agent's hook has announced and no shim has opened yet: which of the agent's ids belongs to which command. */
export class Expected {
  #list: { agentCallId: string; command: string; t: number }[] = [];

  announce(agentCallId: string, command: string, now: number): void {
    this.#list = this.#list.filter(({ t }) => now - t < EXPIRES_MS).slice(-MOST + 1);
    this.#list.push({ agentCallId, command: key(command), t: now });
  }

  /** The id announced for this command; the same command announced twice has its ids in order. */
  take(command: string, now: number): string | undefined {
    const wanted = key(command);
    const found = this.#list.findIndex((entry) => entry.command === wanted && now - entry.t < EXPIRES_MS);
    return found < 0 ? undefined : this.#list.splice(found, 1)[0]!.agentCallId;
  }
}

function key(command: string): string {
  return command.trim().slice(0, COMPARED);
}
