import {
  AcgError,
  type CallAnnouncement,
  type CallEnd,
  type CallRequest,
  type CallStatus,
  type Config,
  type ErrorCode,
  errorTable,
  type Health,
  type SessionRequest,
  type SessionStatus,
} from '../../model/index.ts';

// not by import: that makes all exports of node:http at once, among them a WebSocket, which loads an HTTP client of its own
const { request } = process.getBuiltinModule('node:http');

/** A client of the daemon's API on its Unix socket. Every method throws AcgError; ACG_NO_DAEMON when nobody answers. */
export class DaemonClient {
  readonly socket: string;

  constructor(apiSocket: string) {
    this.socket = apiSocket;
  }

  health(): Promise<Health> {
    return this.#ask('GET', '/v1/health');
  }

  config(): Promise<Config> {
    return this.#ask('GET', '/v1/config');
  }

  /** The daemon reads its configuration again. ACG_CONFIG when it is wrong; then the old one stays. */
  reloadConfig(): Promise<Config> {
    return this.#ask('POST', '/v1/config/reload', {});
  }

  createSession(session: SessionRequest): Promise<SessionStatus> {
    return this.#ask('POST', '/v1/sessions', session);
  }

  sessions(all = false): Promise<SessionStatus[]> {
    return this.#ask('GET', `/v1/sessions${all ? '?all=true' : ''}`);
  }

  /** Ends a session: everything in it is killed and its cgroups removed. Resolves when they are gone. */
  endSession(
    session: string,
    result: { exitCode?: number | null; signal?: string | null } = {},
  ): Promise<SessionStatus> {
    return this.#ask('DELETE', `/v1/sessions/${encodeURIComponent(session)}`, result);
  }

  calls(filter: { session?: string; running?: boolean; agentCallId?: string } = {}): Promise<CallStatus[]> {
    const query = new URLSearchParams();
    if (filter.session) query.set('session', filter.session);
    if (filter.running) query.set('running', 'true');
    if (filter.agentCallId) query.set('agentCallId', filter.agentCallId);
    return this.#ask('GET', `/v1/calls?${query}`);
  }

  call(call: string): Promise<CallStatus> {
    return this.#ask('GET', `/v1/calls/${encodeURIComponent(call)}`);
  }

  /** Opens a call whose command the caller starts itself. Resolves when the policy lets it in. */
  openCall(session: string, call: CallRequest): Promise<CallStatus> {
    return this.#ask('POST', `/v1/sessions/${encodeURIComponent(session)}/calls`, call);
  }

  /** Tells how the command of a call opened by `openCall` ended; the answer has the feedback, if there is any. */
  endCall(call: string, end: CallEnd): Promise<CallStatus> {
    return this.#ask('POST', `/v1/calls/${encodeURIComponent(call)}/end`, end);
  }

  /** Tells what the agent is about to run under which id of its own. */
  announce(session: string, announcement: CallAnnouncement): Promise<void> {
    return this.#ask('POST', `/v1/sessions/${encodeURIComponent(session)}/expected`, announcement);
  }

  killCall(call: string): Promise<CallStatus> {
    return this.#ask('POST', `/v1/calls/${encodeURIComponent(call)}/kill`, {});
  }

  #ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const headers =
        text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
      const ask = request({ socketPath: this.socket, method, path, headers }, (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('error', reject);
        answer.on('end', () => {
          try {
            const value = JSON.parse(Buffer.concat(parts).toString() || 'null');
            if ((answer.statusCode ?? 500) < 400) resolve(value as T);
            else reject(fromAnswer(value, answer.statusCode));
          } catch (cause) {
            reject(new AcgError('ACG_INTERNAL', `the daemon's answer to ${method} ${path} is not JSON`, { cause }));
          }
        });
      });
      ask.on('error', (cause: NodeJS.ErrnoException) => {
        const absent = ['ENOENT', 'ENOTDIR', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(cause.code ?? '');
        const refused = ['EACCES', 'EPERM'].includes(cause.code ?? '');
        const code = absent ? 'ACG_NO_DAEMON' : refused ? 'ACG_NOT_ROOT' : undefined;
        reject(code ? new AcgError(code, this.socket, { cause }) : cause);
      });
      ask.end(text);
    });
  }
}

function fromAnswer(value: unknown, status: number | undefined): AcgError {
  const { code, detail } = (value ?? {}) as { code?: string; detail?: string };
  if (code !== undefined && code in errorTable) return new AcgError(code as ErrorCode, detail ?? '');
  return new AcgError('ACG_INTERNAL', `the daemon answered ${status}: ${JSON.stringify(value).slice(0, 300)}`);
}
