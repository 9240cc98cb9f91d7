import { Counter, Gauge, Registry } from 'prom-client';
import type { Health } from '../../model/index.ts';
import type { Engine } from './engine.ts';
import type { KernelTier } from './kernel-tier/tier.ts';

/**
 * The daemon's metrics in Prometheus' text format. Nothing is counted beside the sources' own counts: each is read when somebody
 * asks. Totals start with the daemon, those of the kernel with its programs.
 */
export function metricsOf(engine: Engine, kernel: KernelTier, health: () => Health): () => Promise<string> {
  const registry = new Registry();
  const registers = [registry];
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: `agentcgroup_${name}`, help, labelNames, registers });
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name: `agentcgroup_${name}_total`, help, labelNames, registers });
  const up = gauge('ok', '1: everything works as configured; 0: health has notes');
  const tier = gauge('tier', '1 for the tier in force', ['tier']);
  const sessions = gauge('sessions', 'Sessions running');
  const calls = gauge('calls', 'Tool calls with a cgroup, by state', ['state']);
  const ended = counter('calls_ended', 'Tool calls that ended, by who ended them', ['by']);
  const memory = gauge('memory_bytes', 'Memory charged to the whole tree');
  const capacity = gauge(
    'capacity_bytes',
    'Memory for all sessions together: the limits above them, less what others use',
  );
  const programs = gauge('bpf_program', '1: the program is in the kernel', ['program']);
  const lost = counter('events_lost', 'Events that found the ring buffer full', ['type']);
  const inCharge = gauge('scheduler_in_charge', '1: our sched_ext scheduler is in charge');
  const exits = counter('scheduler_exits', 'How often the scheduler was thrown out or taken out');
  const holds = counter('governor_holds', 'Holds of tasks that grew too fast');
  const held = counter('governor_held_seconds', 'Time tasks were held');
  const trips = counter('guard_trips', 'How often the headroom guard stopped low-priority growth');
  const headroom = gauge('guard_headroom_bytes', 'Headroom of the node as the guard sees it');

  return () => {
    registry.resetMetrics();
    const now = health();
    up.set(now.status === 'ok' ? 1 : 0);
    tier.set({ tier: now.tier }, 1);
    sessions.set(now.sessions);
    for (const session of engine.sessions.values())
      for (const call of session.calls.values()) calls.inc({ state: call.state });
    for (const [by, count] of engine.calls.endings) ended.inc({ by }, count);
    const current = engine.root.cgroup.read('memory.current');
    if (current !== undefined) memory.set(current);
    capacity.set(now.memoryBytes);
    for (const { program, on } of now.kernel.programs) programs.set({ program }, on ? 1 : 0);
    for (const [type, count] of Object.entries(now.kernel.lost)) lost.inc({ type }, count);
    inCharge.set(now.kernel.scheduler.inCharge ? 1 : 0);
    exits.inc(now.kernel.scheduler.exits);
    const { governor } = kernel.counts();
    if (governor) {
      holds.inc(governor.holds);
      held.inc(governor.heldNs / 1e9);
    }
    if (now.kernel.guard) {
      trips.inc(now.kernel.guard.trips);
      headroom.set(now.kernel.guard.headroomBytes);
    }
    return registry.metrics();
  };
}
