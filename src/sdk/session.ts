import { DaemonClient, daemonPaths } from '../control/client/index.ts';
import { type Priority, parseSize, type SessionStatus } from '../model/index.ts';
import { ToolCall, type ToolCallOptions } from './tool-call.ts';

export interface AttachOptions {
  /** The session's id; generated when absent. */
  name?: string;
  tenant?: string;
  priority?: Priority;
  /** Budget of all its tool calls together: bytes, or as in "2g". */
  memory?: number | string;
  /** Share of CPU against other sessions, 1 to 10000. */
  cpuWeight?: number;
  /** Processes and threads of all its calls together. */
  pids?: number;
  /** The daemon's folder; default: AGENTCGROUP_RUN_DIR, else /run/agentcgroup for root. */
  runDir?: string;
}

/**
 * Starts a session of the running daemon, which lives as long as this process or until it is disposed of. A program that was
 * itself started by `agentcgroup run` and names neither a session nor a daemon joins the one it is in, which then outlives the disposal.
 *
 * This process stays in the cgroup it is in: only its tool calls are put under control.
 * Throws ACG_NO_DAEMON, ACG_SESSION_EXISTS, ACG_BAD_REQUEST, ACG_SIZE, ACG_LIMIT.
 */
export async function attach(options: AttachOptions = {}): Promise<Session> {
  const { AGENTCGROUP_API: around, AGENTCGROUP_SESSION: inside } = process.env;
  const client = new DaemonClient((options.runDir ? undefined : around) ?? daemonPaths(options).apiSocket);
  if (inside && !options.runDir && options.name === undefined) return new Session(client, inside, false);
  const { name, tenant, priority, cpuWeight, pids, memory } = options;
  const memoryBytes = typeof memory === 'string' ? parseSize(memory) : memory;
  const session = await client.createSession({
    name,
    tenant,
    priority,
    cpuWeight,
    pids,
    memoryBytes,
    argv: process.argv,
    owned: true,
  });
  return new Session(client, session.session, true);
}

/** One agent's run. `await using` ends it: what its calls left running is killed, its cgroups go. */
export class Session implements AsyncDisposable {
  readonly id: string;
  readonly #client: DaemonClient;
  readonly #own: boolean;
  #ended = false;

  /** Use `attach`. */
  constructor(client: DaemonClient, id: string, own: boolean) {
    this.#client = client;
    this.id = id;
    this.#own = own;
  }

  /**
   * Opens a tool call; its command is started with `spawn`. Resolves when there is room for it, at once as a rule.
   * Throws ACG_NO_SESSION, ACG_LIMIT, ACG_BAD_REQUEST, ACG_NO_DAEMON.
   */
  async toolCall(options: ToolCallOptions = {}): Promise<ToolCall> {
    const call = await this.#client.openCall(this.id, { ...options, via: 'sdk' });
    return new ToolCall(this.#client, call);
  }

  /** Ends the session, unless it was joined. Twice is once. */
  async end(): Promise<SessionStatus | undefined> {
    if (!this.#own || this.#ended) return undefined;
    this.#ended = true;
    return await this.#client.endSession(this.id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
