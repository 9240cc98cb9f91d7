import { mkdirSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import type { Logger } from 'pino';
import type { Health } from '../../model/index.ts';
import { openRoot } from '../cgroup/index.ts';
import { adoptTree } from './adopt.ts';
import { buildApi, listen } from './api.ts';
import { Engine } from './engine.ts';
import { holdAlone } from './lock.ts';
import type { DaemonPaths } from './paths.ts';
import { Sampler } from './sampler.ts';
import { serveShims } from './shim-server.ts';
import { TraceStore } from './trace-store.ts';

export interface DaemonOptions {
  paths: DaemonPaths;
  version: string;
  log: Logger;
  /** --cgroup-root: where our tree stands. Found when absent. */
  cgroupRoot?: string;
  /** memory.max of the whole tree: what all tenants may use together. */
  nodeMemoryBytes?: number;
}

export interface Daemon {
  health(): Health;
  /** Stops serving. Sessions and calls go on; the next daemon re-adopts them. */
  close(): Promise<void>;
}

/**
 * Starts the daemon: takes the lock, opens the root of the tree, re-adopts what is in it, then serves shims and the API.
 * Throws ACG_DAEMON_RUNNING, ACG_NO_CGROUP2, ACG_CGROUP_BUSY, CgroupFileError; then nothing of it is left running.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { paths, log, version } = options;
  const start = Date.now();
  await using cleanup = new AsyncDisposableStack();
  mkdirSync(paths.runDir, { recursive: true, mode: 0o755 });
  const runLock = await holdAlone(paths.runDir);
  cleanup.defer(() => void runLock.close());
  const root = await openRoot(options.cgroupRoot === undefined ? {} : { cgroupRoot: options.cgroupRoot });
  const rootLock = await holdAlone(root.cgroup.path);
  cleanup.defer(() => void rootLock.close());
  // the tree's root goes with the last of its sessions; with one left it stays for the next daemon
  cleanup.defer(() => void root.cgroup.tryRemove());

  const report = (error: unknown, doing: string) => log.error({ err: error }, `could not ${doing}`);
  const notes = root.missing.map(({ controller, why }) => `no ${controller} controller: ${why}`);
  if (options.nodeMemoryBytes !== undefined) {
    const written = await root.cgroup.writeSlowly('memory.max', options.nodeMemoryBytes);
    if (!written.enforced) notes.push(`${written.file}: ${written.why}`);
  }
  const node = {
    kernel: release(),
    cpus: cpus().length,
    memoryBytes: options.nodeMemoryBytes ?? totalmem(),
    tier: 'cgroup' as const,
  };
  const traces = new TraceStore(paths.traceDir, node, report);
  const engine = new Engine(root, traces, report);
  const adoption = await adoptTree(engine, (session) => traces.calls(session), report);
  if (adoption.sessions || adoption.removed.length) log.info(adoption, 'took over what an earlier daemon left');

  const sampler = new Sampler(engine, traces);
  cleanup.defer(() => sampler.close());
  const health = (): Health => ({
    status: notes.length ? 'degraded' : 'ok',
    version,
    pid: process.pid,
    tier: 'cgroup',
    start,
    cgroupRoot: root.cgroup.path,
    shimSocket: paths.shimSocket,
    traceDir: paths.traceDir,
    sessions: engine.sessions.size,
    calls: [...engine.sessions.values()].reduce((sum, session) => sum + session.calls.size, 0),
    notes,
  });
  const shims = await serveShims(paths.shimSocket, engine, report);
  cleanup.defer(() => void shims.close());
  // requests are not logged one by one: the trace holds what they did
  const app = await buildApi({ engine, health, version, log: log.child({}, { level: 'warn' }) });
  cleanup.defer(() => app.close());
  await listen(app, paths.apiSocket);
  cleanup.defer(() => engine.release());
  log.info({ cgroupRoot: root.cgroup.path, runDir: paths.runDir, traceDir: paths.traceDir, notes }, 'ready');
  const running = cleanup.move();
  return { health, close: () => running.disposeAsync() };
}
