// not by import: that makes all exports of node:http at once, among them a WebSocket, which loads an HTTP client of its own
const { request } = process.getBuiltinModule('node:http');
/**
 * How a hook asks the daemon. Not the client that others use: a hook stands in the way of every call of the agent, so it loads
 * nothing, waits no longer than this, and has no errors: what cannot be asked is not known.
 */
const PATIENCE_MS = 1000;

/** The session a hook runs in; undefined outside of `agentcgroup run`, where a hook has nothing to do. */
export function here(env: NodeJS.ProcessEnv = process.env): { session: string; socket: string } | undefined {
  const { AGENTCGROUP_SESSION: session, AGENTCGROUP_API: socket } = env;
  return session && socket ? { session, socket } : undefined;
}

/** The daemon's answer, or undefined for whatever reason there is none. */
export function ask(socket: string, method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
  return new Promise((resolve) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers =
      text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const nothing = () => resolve(undefined);
    const asked = request({ socketPath: socket, method, path, headers }, (answer) => {
      let said = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => {
        said += part;
      });
      answer.on('error', nothing);
      answer.on('end', () => {
        try {
          resolve((answer.statusCode ?? 500) < 300 && said !== '' ? JSON.parse(said) : undefined);
        } catch {
          nothing();
        }
      });
    });
    asked.on('error', nothing);
    asked.setTimeout(PATIENCE_MS, () => {
      asked.destroy();
      nothing();
    });
    asked.end(text);
  });
}
