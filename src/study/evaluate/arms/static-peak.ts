import { peakBytes } from '../../replay/index.ts';
import type { PlannedSession } from '../scenario.ts';
import type { Arm, ArmContext } from './arm.ts';
import { plainSessions } from './plain.ts';

/** Page tables, kernel stacks, what the replayer itself needs: a limit at the exact peak would kill what fits. */
const OVERHEAD = 1.05;
const reservation = (session: PlannedSession) => Math.ceil(peakBytes(session.replay) * OVERHEAD);

/** Provisioned for the peak, as a cluster scheduler does with limits equal to requests: who does not fit waits. */
export const staticPeak: Arm = {
  name: 'static-peak',
  what: 'Each session gets its peak as its limit (memory.max) and starts only when that much of the node is not given away.',
  async begin(context: ArmContext) {
    const waiting = [...context.sessions];
    let free = context.scenario.node.memory;
    const admit = () => {
      const now: PlannedSession[] = [];
      // in order: a later, smaller one does not overtake
      while (waiting.length > 0 && reservation(waiting[0]!) <= free) {
        free -= reservation(waiting[0]!);
        now.push(waiting.shift()!);
      }
      return now;
    };
    return {
      ...plainSessions(context, (session) => ({ 'memory.max': reservation(session) })),
      first: admit(),
      next(ended) {
        free += reservation(ended);
        return admit();
      },
      provisioned: reservation,
    };
  },
};
