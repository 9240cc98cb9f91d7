import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { PlannedSession } from '../scenario.ts';
import type { Arm, ArmContext, RunningArm } from './arm.ts';

/** The files an arm writes into a session's cgroup. */
export type Limits = (session: PlannedSession, context: ArmContext) => Record<string, string | number>;

/** Sessions in a cgroup each, with `limits` in it: what every arm without a controller of its own comes to. */
export function plainSessions(context: ArmContext, limits: Limits): RunningArm {
  return {
    first: context.sessions,
    start(session) {
      const cgroup = context.node.session(session.name, limits(session, context));
      return exitStatus(context.files.write(session.replay, cgroup));
    },
    controllers: [],
    place: (path) => ({ session: path.split('/')[1]!, call: null }),
    stop: async () => {},
  };
}

/** An arm that is nothing but limits. */
export const plainArm = (name: string, what: string, limits: Limits): Arm => ({
  name,
  what,
  begin: async (context) => plainSessions(context, limits),
});

/** Runs a program to its end; its status as a shell has it. */
export function exitStatus(argv: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'ignore', 'inherit'] });
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal ? 128 + constants.signals[signal] : code!));
  });
}

/** An even part of the node: what somebody gives who provisions by the average. */
export const evenShare = ({ scenario, sessions }: ArmContext): number =>
  Math.floor(scenario.node.memory / sessions.length);

/** The highest priority that is above another one in this run, if there is one. */
export function isHigh(session: PlannedSession, sessions: readonly PlannedSession[]): boolean {
  const rank = { low: 0, normal: 1, high: 2 };
  const ranks = sessions.map((s) => rank[s.priority]);
  return rank[session.priority] === Math.max(...ranks) && Math.min(...ranks) < Math.max(...ranks);
}
