import { mkdirSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import type { Logger } from 'pino';
import type { Config, Health, Tier } from '../../model/index.ts';
import { openRoot } from '../cgroup/index.ts';
import type { DaemonPaths } from '../client/index.ts';
import { adoptTree } from './adopt.ts';
import { buildApi, listen } from './api.ts';
import { capacityNow } from './capacity.ts';
import { Engine } from './engine.ts';
import { KernelTier } from './kernel-tier/tier.ts';
import { holdAlone } from './lock.ts';
import { Sampler } from './sampler.ts';
import { serveShims } from './shim-server.ts';
import { Strays } from './strays.ts';
import { deleteOldTraces, TraceStore } from './trace-store.ts';

export interface DaemonOptions {
  paths: DaemonPaths;
  version: string;
  log: Logger;
  /** --cgroup-root: where our tree stands. Found when absent. */
  cgroupRoot?: string;
  /** Reads the configuration: at the start, and again when told to. Throws ACG_CONFIG. */
  configure(): Config;
  /** memory.max of the whole tree: what all tenants may use together. Instead of the configured node.memory. */
  nodeMemoryBytes?: number;
}

export interface Daemon {
  health(): Health;
  /** Reads the configuration again, running calls untouched. The limit of the tree's root stays as it was at the start. Throws ACG_CONFIG. */
  reconfigure(): Config;
  /** Stops serving. Sessions and calls go on; the next daemon re-adopts them. */
  close(): Promise<void>;
}

/**
 * Starts the daemon: takes the lock, opens the root of the tree, re-adopts what is in it, then serves shims and the API.
 * Throws ACG_DAEMON_RUNNING, ACG_NO_CGROUP2, ACG_CGROUP_BUSY, CgroupFileError; then nothing of it is left running.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { paths, log, version, nodeMemoryBytes } = options;
  const configure = () => {
    const config = options.configure();
    return nodeMemoryBytes === undefined ? config : { ...config, node: { ...config.node, memory: nodeMemoryBytes } };
  };
  const config = configure();
  const start = Date.now();
  await using cleanup = new AsyncDisposableStack();
  mkdirSync(paths.runDir, { recursive: true, mode: 0o755 });
  const runLock = holdAlone(paths.runDir);
  cleanup.defer(() => runLock.close());
  const root = await openRoot(options.cgroupRoot === undefined ? {} : { cgroupRoot: options.cgroupRoot });
  const rootLock = holdAlone(root.cgroup.path);
  cleanup.defer(() => rootLock.close());
  // the tree's root goes with the last of its sessions; with one left it stays for the next daemon
  cleanup.defer(() => void root.cgroup.tryRemove());

  const report = (error: unknown, doing: string) => log.error({ err: error }, `could not ${doing}`);
  const notes = root.missing.map(({ controller, why }) => `no ${controller} controller: ${why}`);
  if (config.node.memory !== 'auto') {
    const written = await root.cgroup.writeSlowly('memory.max', config.node.memory);
    if (!written.enforced) notes.push(`${written.file}: ${written.why}`);
  }
  const node = {
    kernel: release(),
    cpus: cpus().length,
    memoryBytes: nodeMemoryBytes ?? totalmem(),
    tier: 'cgroup' as Tier,
  };
  const traces = new TraceStore(paths.traceDir, node, report);
  const engine = new Engine(root, traces, config, capacityNow(root, config), report, (explanation) =>
    log.info(explanation, explanation.text),
  );
  const sampler = new Sampler(engine, traces, report, () => kernel.samples);
  cleanup.defer(() => sampler.close());
  const strays = new Strays(engine, report, () => kernel.outside);
  cleanup.defer(() => strays.close());
  const kernel: KernelTier = new KernelTier({
    engine,
    log,
    hands: {
      look: (calls) => sampler.look(calls),
      outside: (session, pid, t) => strays.look(session, pid, t),
      record: (sample) => traces.write(sample.session, sample),
    },
    changed: (tier) => {
      node.tier = tier;
    },
  });
  engine.calls.beforeRecord = () => kernel.drain();
  cleanup.defer(() => kernel.close(engine.sessions.size > 0));
  await kernel.apply(config);
  const adoption = await adoptTree(engine, (session) => traces.calls(session), report);
  engine.policy.growth.sweep();
  if (adoption.sessions || adoption.removed.length) log.info(adoption, 'took over what an earlier daemon left');

  const tidy = () => {
    try {
      const gone = deleteOldTraces(paths.traceDir, engine.policy.config.record.keepDays);
      if (gone.length > 0) log.info({ files: gone }, 'deleted old traces');
    } catch (error) {
      report(error, 'delete old traces');
    }
  };
  tidy();
  const daily = setInterval(tidy, 86_400_000).unref();
  cleanup.defer(() => clearInterval(daily));
  const health = (): Health => ({
    status: notes.length + kernel.notes().length > 0 ? 'degraded' : 'ok',
    version,
    pid: process.pid,
    tier: kernel.tier,
    kernel: kernel.health(),
    start,
    cgroupRoot: root.cgroup.path,
    shimSocket: paths.shimSocket,
    traceDir: paths.traceDir,
    memoryBytes: engine.policy.state.capacity,
    sessions: engine.sessions.size,
    calls: [...engine.sessions.values()].reduce((sum, session) => sum + session.calls.size, 0),
    notes: [...notes, ...kernel.notes()],
  });
  // after those that bring it something to do
  cleanup.defer(() => engine.release());
  const shims = await serveShims(paths.shimSocket, engine, report);
  cleanup.defer(() => shims.close());
  const reconfigure = () => {
    const again = configure();
    engine.policy.send({ type: 'config', config: again });
    void kernel.apply(again);
    return again;
  };
  // read when somebody asks for metrics
  let told: Promise<() => Promise<string>> | undefined;
  const metrics = () => {
    told ??= import('./metrics.ts').then(({ metricsOf }) => metricsOf(engine, kernel, health));
    return told;
  };
  // requests are not logged one by one: the trace holds what they did
  const app = buildApi({
    engine,
    health,
    reconfigure,
    metrics: async () => (await metrics())(),
    version,
    log: log.child({}, { level: 'warn' }),
  });
  cleanup.defer(() => app.close());
  await listen(app, paths.apiSocket);
  log.info(
    { cgroupRoot: root.cgroup.path, runDir: paths.runDir, traceDir: paths.traceDir, notes, tier: kernel.tier },
    'ready',
  );
  const running = cleanup.move();
  return { health, reconfigure, close: () => running.disposeAsync() };
}
