/** What is done on each node: the alternatives, as small as they can be told, and control/policy itself. */
import { type Config, parseConfig } from '../../../model/index.ts';
import type { Control, SimNode, SimSession } from '../index.ts';
import { PolicyControl, withoutControl } from '../index.ts';
import type { Drawn } from './draw.ts';

export const armNames = [
  'none',
  'static-share',
  'static-peak',
  'static-average',
  'vpa-like',
  'oomd-like',
  'agentcgroup',
] as const;
export type ArmName = (typeof armNames)[number];

/** One sentence each, for reports. */
export const armTexts: Record<ArmName, string> = {
  none: 'no limits but the node: the kernel kills the largest process when it is full',
  'static-share': 'memory.max of each session: an even share of the node',
  'static-peak':
    'memory.max of each session: its own peak, known beforehand (nobody knows it; the best a static limit can do)',
  'static-average': 'memory.max of each session: its own mean over time, known beforehand',
  'vpa-like':
    'memory.max of each session: 90th percentile of the peaks of sessions like it and 15 %; after an OOM kill 20 % more, at least 100 MiB, in place',
  'oomd-like':
    'no limits; when less than 5 % of the node has been free for 2 s the largest session is killed as a whole',
  agentcgroup: "this project's policy, event by event",
};

export interface ArmContext {
  nodeBytes: number;
  /** Sessions the node is meant to hold, for even shares. */
  sessions: number;
  /** The 90th percentile of sessions' peaks. */
  usualPeak: number;
  /** Of `agentcgroup`. */
  config: Config;
}

export interface Arm {
  /** Agent and calls in one cgroup, as containers have it. */
  flat: boolean;
  control: (node: SimNode) => Control;
}

export function armOf(name: ArmName, context: ArmContext): Arm {
  const limited = (limit: (d: Drawn) => number) => ({
    flat: true,
    control: (node: SimNode) => withLimits(node, (s) => limit(s.spec as Drawn)),
  });
  switch (name) {
    case 'none':
      return { flat: true, control: (node) => withoutControl(node) };
    case 'static-share':
      return limited(() => Math.floor(context.nodeBytes / context.sessions));
    case 'static-peak':
      return limited((d) => d.peakBytes);
    case 'static-average':
      return limited((d) => d.meanBytes);
    case 'vpa-like':
      return { flat: true, control: (node) => withLimits(node, () => context.usualPeak * MARGIN, bump) };
    case 'oomd-like':
      return { flat: true, control: (node) => new Oomd(node) };
    case 'agentcgroup':
      return { flat: false, control: (node) => new PolicyControl(node, context.config, { coarse: true }) };
  }
}

/** A configuration, and a tenant in it for those sessions that are `high`. */
export function withHigh(config: Config): Config {
  const { high } = parseConfig({ tenants: { high: { priority: 'high' } } }).tenants;
  return { ...config, tenants: { ...config.tenants, high: { ...high!, ...config.tenants.high, priority: 'high' } } };
}

/** Of Kubernetes' vertical autoscaler: recommendation-margin-fraction, oom-bump-up-ratio, oom-min-bump-up. */
const MARGIN = 1.15;
const BUMP = 1.2;
const LEAST_BUMP = 100 * 2 ** 20;
const bump = (limit: number): number => Math.max(limit * BUMP, limit + LEAST_BUMP);

function withLimits(node: SimNode, limit: (s: SimSession) => number, afterOom?: (limit: number) => number): Control {
  return {
    ...withoutControl(node),
    sessionStarted(s) {
      s.group.max = Math.max(limit(s), s.agent.usage);
    },
    callEnded(c) {
      if (c.end === 'oom' && afterOom) c.session.group.max = afterOom(c.session.group.max);
    },
  };
}

/** Free memory below this share of the node for so long, milliseconds. */
const SHORT = 0.05;
const PATIENCE = 2000;

class Oomd implements Control {
  readonly #node: SimNode;
  #since: number | undefined;

  constructor(node: SimNode) {
    this.#node = node;
  }

  sessionStarted(): void {}
  sessionEnded(): void {}
  callBackground(): void {}
  callEnded(): void {}

  callAsked(c: Parameters<Control['callAsked']>[0]): void {
    this.#node.start(c);
  }

  tick(): void {
    const { now, memory, sessions } = this.#node;
    if (memory.root.usage <= memory.root.max * (1 - SHORT)) {
      this.#since = undefined;
      return;
    }
    this.#since ??= now;
    if (now - this.#since < PATIENCE) return;
    const live = sessions.filter((s) => s.started && s.endedAt === undefined);
    const largest = live.reduce<SimSession | undefined>(
      (a, b) => (a && a.group.usage >= b.group.usage ? a : b),
      undefined,
    );
    if (largest) this.#node.killSession(largest);
    this.#since = undefined;
  }
}
