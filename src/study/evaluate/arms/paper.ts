import { PaperPolicy } from '../../../control/kernel/index.ts';
import type { Arm, ArmContext, RunningArm } from './arm.ts';
import { evenShare, exitStatus, isHigh, plainSessions } from './plain.ts';

/**
 * The policy of the AgentCgroup paper as its own runs had it: memory.high for the sessions that have no priority, each of their
 * charges delayed by 50 ms while one that has it faults, and below_low for that one. Needs a kernel with memcg_bpf_ops.
 */
export const paper: Arm = {
  name: 'paper',
  what: "The AgentCgroup paper's policy on memcg_bpf_ops: a soft limit for every session but those of the highest priority, 50 ms for each batch they are charged while one of these faults more than 10,000 pages a second, and these spared from reclaim. Needs --kernel memcg-bpf.",
  begin: async (context) => begin(context),
};

function begin(context: ArmContext): RunningArm {
  const { node, sessions, files } = context;
  const policy = new PaperPolicy(node.path);
  return {
    ...plainSessions(context, () => ({})),
    start(session) {
      const high = isHigh(session, sessions);
      const cgroup = node.session(session.name, high ? {} : { 'memory.high': session.soft ?? evenShare(context) });
      policy.session(cgroup, high ? 'high' : 'low');
      return exitStatus(files.write(session.replay, cgroup));
    },
    async stop() {
      policy[Symbol.dispose]();
    },
  };
}
