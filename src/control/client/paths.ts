import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where a daemon keeps its sockets and traces. `runDir` is lost at reboot, `traceDir` is kept. */
export interface DaemonPaths {
  runDir: string;
  /** Shims speak here. */
  shimSocket: string;
  /** The HTTP API is here. */
  apiSocket: string;
  traceDir: string;
}

/**
 * The defaults: /run and /var/lib for root, the XDG folders for others; each can be named instead. Absolute: daemon, shims and
 * agents have working folders of their own.
 */
export function daemonPaths(options: { runDir?: string | undefined; traceDir?: string | undefined } = {}): DaemonPaths {
  const root = process.getuid?.() === 0;
  const env = process.env;
  const run = resolve(
    options.runDir ||
      env.AGENTCGROUP_RUN_DIR ||
      (root ? '/run/agentcgroup' : join(env.XDG_RUNTIME_DIR ?? '/tmp', 'agentcgroup')),
  );
  const state = root ? '/var/lib' : (env.XDG_STATE_HOME ?? join(homedir(), '.local/state'));
  return {
    runDir: run,
    shimSocket: join(run, 'shim.sock'),
    apiSocket: join(run, 'api.sock'),
    traceDir: resolve(options.traceDir || env.AGENTCGROUP_TRACE_DIR || join(state, 'agentcgroup/traces')),
  };
}
